"""API priority and fairness: how many requests are worked on at once, and whose. Follows apiserver's util/flowcontrol.

control.py  a request -> its flow -> a place      schemas.py   which FlowSchema a request is of
levels.py   seats, queues, what is lent           defaults.py  the objects that are there from the start
"""
