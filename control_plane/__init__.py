"""The control plane: the apiserver and its storage, the scheduler, the controllers, the cloud.

certificate_requests.py  what a CertificateSigningRequest asks for: apiserver, controllers and cloud read it alike     pem.py  PEM blocks
jwt.py                   JSON Web Tokens      service_account_keys.py  keys of the apiserver and of the token controller
"""
