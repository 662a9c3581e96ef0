"""What a write must be like, and what is filled in: one file per plugin, named as the plugin. docs/admission.md says what each does.

plugin.py   the request, and what a plugin is             chain.py          the plugins that are on, asked in order
catalog.py  all plugins in upstream's order, their help   configuration.py  AdmissionConfiguration
lookup.py   how plugins look at other objects
limits.py, amounts.py, tolerations.py, signer_rights.py, default_class.py   what they share
pod_security/, policies/, webhooks/, resource_quota/      plugins that are more than a file
"""
