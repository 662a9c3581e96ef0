"""Clusters as pytest fixtures. cluster.py: a running cluster and what a test asks of it; plugin.py: the fixtures.

    pytest_plugins = ["launcher.testing.plugin"]

    def test_hello(kubonsai_cluster):
        kubonsai_cluster.kubectl("apply", "-f", "examples/hello/")
        kubonsai_cluster.kubectl("wait", "--for=condition=Available", "deployment/hello", "--timeout=60s")
"""
