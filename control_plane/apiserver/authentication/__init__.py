"""Who is asking.

authenticator.py  the request's credentials -> UserInfo      user.py   UserInfo and the names of well-known users and groups
certificate.py    subject of a client certificate            token.py  service-account tokens: issue, verify
bootstrap_token.py  what a joining machine logs in with
jwt.py            RS256 JSON Web Tokens, no more than that   accounts.py  is what a token is bound to still there
"""
