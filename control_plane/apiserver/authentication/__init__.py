"""Who is asking.

authenticator.py  the request's credentials -> UserInfo      user.py   UserInfo and the names of well-known users and groups
setup.py          the authenticator a configuration wants    methods.py  what ways to know a token have in common
certificate.py    client certificates and their CAs          request_header.py  users that a front proxy vouches for
service_accounts.py  token.py: issue, verify; accounts.py: is what a token is bound to still there
token_file.py     a CSV file of static tokens                bootstrap_token.py  what a joining machine logs in with
oidc.py           OpenID Connect: configuration.py, claims.py, expressions.py (CEL)      webhook.py  a remote TokenReview
"""
