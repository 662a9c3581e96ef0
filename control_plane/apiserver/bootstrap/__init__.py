"""What every apiserver makes sure of when it starts; all of it may be there already, or be made by another one at once.

system_objects.py  namespaces, priority classes, ServiceCIDR, Service default/kubernetes
endpoints.py       Endpoints and EndpointSlice of that Service: the apiservers that are alive
"""
