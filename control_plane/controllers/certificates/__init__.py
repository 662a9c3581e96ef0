"""The certificates API at work: requests approved, signed, and cleared away.

requests.py  questions about a request    approver.py  kubelets' client certificates, by access review
signer.py    the cluster's CA signs       authority.py request -> certificate, pure    cleaner.py  old requests go
pod_request_cleaner.py  those of Pods too
"""
