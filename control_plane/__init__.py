"""The control plane: the apiserver and its storage, the scheduler, the controllers, the cloud."""
