"""What a Service takes before it is written, and gives back when the write fails, its type changes, or it goes.

Follows registry/core/service's alloc.go: cluster IP first, then node ports, then the health check's node port.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from control_plane.apiserver.allocation.cluster_ips import ClusterIps
from control_plane.apiserver.allocation.errors import AllocationError, RangeFull
from control_plane.apiserver.allocation.node_ports import NodePorts
from control_plane.apiserver.registry.call import Call
from control_plane.apiserver.registry.hooks import Reservation
from kube.apimachinery.errors import ApiError, Cause, InternalError, invalid
from kube.apimachinery.meta import JsonObject, NamespacedName
from kube.apimachinery.validation import invalid as invalid_value


@dataclass(frozen=True, slots=True)
class Holding:
    """What a Service's spec lays claim to."""

    addresses: frozenset[str]
    ports: frozenset[int]


def holding_of(service: JsonObject | None) -> Holding:
    spec = (service or {}).get("spec") or {}
    addresses = {one for one in [spec.get("clusterIP"), *(spec.get("clusterIPs") or [])] if one and one != "None"}
    ports = set()
    if has_node_ports(spec):
        ports = {port["nodePort"] for port in spec.get("ports") or [] if port.get("nodePort")}
        if spec.get("healthCheckNodePort"):
            ports.add(spec["healthCheckNodePort"])
    if spec.get("type") == "ExternalName":
        addresses = set()
    return Holding(frozenset(addresses), frozenset(ports))


def has_node_ports(spec: JsonObject) -> bool:
    return spec.get("type") in ("NodePort", "LoadBalancer")


@dataclass(slots=True)
class ServiceReservation:
    """Follows the Reservation protocol."""

    service: NamespacedName
    ips: ClusterIps
    node_ports: NodePorts
    taken_addresses: list[str] = field(default_factory=list)
    taken_ports: list[int] = field(default_factory=list)
    obsolete: Holding = field(default_factory=lambda: Holding(frozenset(), frozenset()))

    async def keep(self) -> None:
        for address in self.obsolete.addresses:
            await self.ips.give_back(address, self.service)
        for port in self.obsolete.ports:
            await self.node_ports.give_back(port, self.service)

    async def undo(self) -> None:
        for address in self.taken_addresses:
            await self.ips.give_back(address, self.service)
        for port in self.taken_ports:
            await self.node_ports.give_back(port, self.service)


class ServiceAllocator:
    """The WriteHook of Services."""

    def __init__(self, ips: ClusterIps, node_ports: NodePorts) -> None:
        self._ips = ips
        self._node_ports = node_ports

    async def reserve(self, call: Call, obj: JsonObject, old: JsonObject | None, *, dry_run: bool) -> Reservation:
        service = NamespacedName.of(obj)
        reservation = ServiceReservation(service, self._ips, self._node_ports)
        held = holding_of(old)
        try:
            await self._reserve_address(call, obj["spec"], held, reservation, dry_run=dry_run)
            if has_node_ports(obj["spec"]):
                await self._reserve_ports(call, obj["spec"], held, reservation, dry_run=dry_run)
        except BaseException:
            if not dry_run:
                await reservation.undo()
            raise
        if dry_run:
            return ServiceReservation(service, self._ips, self._node_ports)
        wanted = holding_of(obj)
        reservation.obsolete = Holding(held.addresses - wanted.addresses, held.ports - wanted.ports)
        return reservation

    async def release(self, obj: JsonObject) -> None:
        service, held = NamespacedName.of(obj), holding_of(obj)
        for address in held.addresses:
            await self._ips.give_back(address, service)
        for port in held.ports:
            await self._node_ports.give_back(port, service)

    async def _reserve_address(
        self, call: Call, spec: JsonObject, held: Holding, reservation: ServiceReservation, *, dry_run: bool
    ) -> None:
        if spec.get("type") == "ExternalName" or spec.get("clusterIP") == "None":
            return
        address = spec.get("clusterIP") or ""
        if address in held.addresses:
            return
        if held.addresses and address:
            return      # a change of the address: validation refuses it
        try:
            if address:
                await self._ips.take(address, reservation.service, dry_run=dry_run)
            else:
                address = await self._ips.take_any(reservation.service, dry_run=dry_run)
        except AllocationError as error:
            if not address:
                raise InternalError(f"Internal error occurred: failed to allocate a serviceIP: {error}") from error
            why = f"failed to allocate IP {address}: {error}"
            raise _refused(call, reservation.service, invalid_value("spec.clusterIPs", [address], why)) from error
        reservation.taken_addresses.append(address)
        spec["clusterIP"], spec["clusterIPs"] = address, [address]

    async def _reserve_ports(
        self, call: Call, spec: JsonObject, held: Holding, reservation: ServiceReservation, *, dry_run: bool
    ) -> None:
        automatic = spec.get("type") == "NodePort" or spec.get("allocateLoadBalancerNodePorts") is not False
        mine = set(held.ports)
        by_port: dict[int, list[str]] = {}      # node port -> protocols that use it here
        for index, port in enumerate(spec.get("ports") or []):
            if not (number := port.get("nodePort")):
                continue
            if number not in mine:
                path = f"spec.ports[{index}].nodePort"
                await self._take_port(call, number, path, reservation, dry_run=dry_run)
                mine.add(number)
            by_port.setdefault(number, []).append(port.get("protocol", "TCP"))
        own_check = spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"
        number = spec.get("healthCheckNodePort")
        if own_check and number and number not in mine:
            await self._take_check_port(number, reservation, dry_run=dry_run)
        try:
            await self._choose_ports(spec, by_port, reservation, automatic=automatic, check=own_check and not number, dry_run=dry_run)
        except AllocationError as error:
            raise InternalError(f"Internal error occurred: failed to allocate a nodePort: {error}") from error

    async def _choose_ports(
        self, spec: JsonObject, by_port: dict[int, list[str]], reservation: ServiceReservation, *,
        automatic: bool, check: bool, dry_run: bool,
    ) -> None:
        """For the ports that name none. The same port number under another protocol (DNS) gets the same node port."""
        wanting = [port for port in spec.get("ports") or [] if not port.get("nodePort")] if automatic else []
        if not wanting and not check:
            return
        free = [port for port in await self._node_ports.free() if port not in by_port]
        if len({port.get("port") for port in wanting}) + check > len(free):
            raise RangeFull("range is full")      # before any is taken
        chosen: dict[Any, list[int]] = {}         # port number -> its node ports
        for port in spec.get("ports") or []:
            if port.get("nodePort"):
                chosen.setdefault(port.get("port"), []).append(port["nodePort"])
        for port in wanting:
            protocol, shared = port.get("protocol", "TCP"), chosen.setdefault(port.get("port"), [])
            number = next((one for one in shared if protocol not in by_port[one]), 0)
            if not number:
                number = await self._node_ports.take_one_of(free, reservation.service, dry_run=dry_run)
                reservation.taken_ports.append(number)
                shared.append(number)
            by_port.setdefault(number, []).append(protocol)
            port["nodePort"] = number
        if check:
            number = spec["healthCheckNodePort"] = await self._node_ports.take_one_of(free, reservation.service, dry_run=dry_run)
            reservation.taken_ports.append(number)

    async def _take_port(self, call: Call, number: int, path: str, reservation: ServiceReservation, *, dry_run: bool) -> None:
        try:
            await self._node_ports.take(number, reservation.service, dry_run=dry_run)
        except AllocationError as error:
            raise _refused(call, reservation.service, invalid_value(path, number, str(error))) from error
        reservation.taken_ports.append(number)

    async def _take_check_port(self, number: int, reservation: ServiceReservation, *, dry_run: bool) -> None:
        try:
            await self._node_ports.take(number, reservation.service, dry_run=dry_run)
        except AllocationError as error:
            raise InternalError(
                f"Internal error occurred: failed to allocate requested HealthCheck NodePort {number}: {error}") from error
        reservation.taken_ports.append(number)


def _refused(call: Call, service: NamespacedName, cause: Cause) -> ApiError:
    return invalid(call.gvk, service.name, [cause])
