"""Discovery: which groups, versions and resources are served.

documents.py  the documents, made from the resource table    index.py  which path answers with which document
"""
