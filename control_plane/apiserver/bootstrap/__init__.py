"""What every apiserver makes sure of when it starts; all of it may be there already, or be made by another one at once.

system_objects.py  namespaces, priority classes, ServiceCIDR, Service default/kubernetes
flow_control_keeper.py  FlowSchemas and PriorityLevelConfigurations (flow/defaults.py), kept as long as the server runs
endpoints.py       Endpoints and EndpointSlice of that Service: the apiservers that are alive
"""
