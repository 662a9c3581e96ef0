"""The Pod Security Standards. Follows kubernetes/pod-security-admission.

plugin.py      asks at each Pod, warns at workloads and at a namespace's new level      levels.py    labels of a namespace -> its policy
registry.py    which checks a level of a version has                                    config.py    defaults and exemptions
checks_baseline.py, checks_restricted.py, checks_profiles.py    the checks, in upstream's words
metrics.py     pod_security_*
pod.py         a Pod as the checks look at it
"""
