"""Objects encrypted in etcd, in the formats of upstream, so that either reads what the other wrote.

configuration.py  EncryptionConfiguration -> which resource has which providers    ciphers.py    aescbc, aesgcm, secretbox
encryption.py     key and value -> what is stored, and back                       secretbox.py  XSalsa20 and Poly1305
"""
