"""Services' addresses: which Pods stand behind a Service, on which ports.

backends.py   pure: a Pod as a backend of a Service        plan.py       pure: EndpointSlices to create, update, delete
services.py   which Services a Pod's change concerns       controller.py the EndpointSlice controller
endpoints.py  the Endpoints controller (one object per Service, the older form)
"""
