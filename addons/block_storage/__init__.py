"""Nothing runs here: manifests for the cluster's own block storage (block.csi.kubonsai.io), whose driver is in the machines' processes."""
