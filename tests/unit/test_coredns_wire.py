"""Frames, packing within a size, and the cache of packed answers."""

from __future__ import annotations

import pytest
from dnslib import EDNS0, RR, DNSLabel, DNSQuestion, DNSRecord

from addons.coredns import records
from addons.coredns.answer_cache import Answer, AnswerCache
from addons.coredns.message import AAAA, SRV, A, Reply, Request
from addons.coredns.metrics import Cell
from addons.coredns.wire import pack_reply, read_frame

NAME = "Web.Default.svc.cluster.local."


def query(name: str = NAME, qtype: int = A, *, edns: int = 0, dnssec_ok: bool = False, query_id: int = 7) -> bytes:
    record = DNSRecord(questions=[DNSQuestion(name, qtype)])
    record.header.id = query_id
    record.header.rd = 1
    if edns:
        record.add_ar(EDNS0(udp_len=edns, flags="do" if dnssec_ok else ""))
    return bytes(record.pack())


def request(limit: int = 512, qtype: int = A, name: str = NAME) -> Request:
    return Request(name=name.lower(), asked=DNSLabel(name), qtype=qtype, size_limit=limit)


def addresses(count: int) -> list[RR]:
    return [records.address(NAME, 30, f"10.244.0.{number}") for number in range(count)]


def cached(reply: Reply, *, now: float = 0.0) -> tuple[AnswerCache, bytes]:
    asked = query()
    frame = read_frame(asked)
    assert frame is not None
    packed = pack_reply(request(), reply, 7, edns=False)
    cache = AnswerCache()
    cache.put(Answer(cache.key(asked, frame, 512), packed, frame.question_end, reply, now, Cell()))
    return cache, asked


def ask(cache: AnswerCache, asked: bytes, now: float = 0.0) -> DNSRecord | None:
    frame = read_frame(asked)
    assert frame is not None
    answer = cache.get(cache.key(asked, frame, 512), now)
    return None if answer is None else DNSRecord.parse(answer.respond(asked, frame.question_end, now))


@pytest.mark.parametrize(("packet", "expected"), [
    pytest.param(query(), (512, False, False), id="plain"),
    pytest.param(query(edns=4096), (4096, False, True), id="EDNS"),
    pytest.param(query(edns=1400, dnssec_ok=True), (1232, True, True), id="size is taken down to a class"),
    pytest.param(query(edns=100), (512, False, True), id="never below 512"),
    pytest.param(query() + b"x", None, id="trailing bytes"),
    pytest.param(query()[:-1], None, id="cut"),
    pytest.param(b"", None, id="empty"),
    pytest.param(b"\x00" * 12, None, id="header only"),
])
def test_frames(packet: bytes, expected: tuple[int, bool, bool] | None) -> None:
    frame = read_frame(packet)

    assert (None if frame is None else (frame.limit, frame.dnssec_ok, frame.edns)) == expected


def test_a_reply_of_the_cache_has_the_querys_id_and_letters() -> None:
    cache, _ = cached(Reply(answers=addresses(1), authoritative=True, tags=frozenset({"t"})))

    answer = ask(cache, query("wEB.default.SVC.cluster.local.", query_id=99))

    assert answer is not None
    assert (answer.header.id, answer.header.aa, answer.header.rd) == (99, 1, 1)
    assert str(answer.questions[0].qname) == str(answer.rr[0].rname) == "wEB.default.SVC.cluster.local."
    assert str(answer.rr[0].rdata) == "10.244.0.0"


@pytest.mark.req("DNS-22")
def test_addresses_take_turns() -> None:
    cache, asked = cached(Reply(answers=addresses(3), tags=frozenset({"t"}), rotate=True))

    orders = [[str(each.rdata)[-1] for each in answer.rr] for _ in range(3) if (answer := ask(cache, asked))]

    assert orders == [["0", "1", "2"], ["1", "2", "0"], ["2", "0", "1"]]


def test_a_cname_stays_in_front() -> None:
    answers = [records.cname(NAME, 30, "other.svc.cluster.local."), *addresses(2)]
    cache, asked = cached(Reply(answers=answers, tags=frozenset({"t"}), rotate=True))

    firsts = [[each.rtype for each in answer.rr] for _ in range(2) if (answer := ask(cache, asked))]

    assert firsts == [[5, A, A], [5, A, A]]


@pytest.mark.req("DNS-12")
def test_ttls_count_down_until_the_answer_expires() -> None:
    cache, asked = cached(Reply(answers=addresses(2), lifetime_s=30, rotate=True), now=100.0)

    ttls = [answer.rr[0].ttl if (answer := ask(cache, asked, now)) else None for now in (100.0, 100.9, 110.2, 129.0, 130.0)]

    assert ttls == [30, 30, 20, 1, None]


def test_answers_of_the_cluster_keep_their_ttl_and_go_with_their_tag() -> None:
    cache, asked = cached(Reply(answers=addresses(1), tags=frozenset({"hello"})))

    before = ask(cache, asked, now=1000.0)
    cache.drop("other")
    kept = ask(cache, asked)
    cache.drop("hello")

    assert before is not None
    assert before.rr[0].ttl == 30
    assert kept is not None
    assert ask(cache, asked) is None


def test_the_cache_is_bounded() -> None:
    cache = AnswerCache(max_entries=2)
    for number in range(5):
        cache.put(Answer(b"%d" % number, query() + b"", len(query()), Reply(tags=frozenset({number})), 0.0, Cell()))

    assert len(cache) == 2
    assert cache.get(b"4", 0.0) is not None
    assert cache.get(b"0", 0.0) is None


@pytest.mark.parametrize(("other", "same"), [
    pytest.param(query(qtype=AAAA), False, id="type"),
    pytest.param(query("other.default.svc.cluster.local."), False, id="name"),
    pytest.param(query(edns=512), False, id="EDNS or none"),
    pytest.param(query(NAME.upper(), query_id=1), True, id="case and id"),
])
def test_what_makes_a_key(other: bytes, same: bool) -> None:
    first, second = read_frame(query()), read_frame(other)
    assert first is not None
    assert second is not None

    assert (AnswerCache.key(query(), first, 512) == AnswerCache.key(other, second, 512)) is same


def test_types_that_differ_by_a_letters_case_bit_differ() -> None:
    https, other = query(qtype=65), query(qtype=97)     # 0x41 and 0x61: "A" and "a"
    first, second = read_frame(https), read_frame(other)
    assert first is not None
    assert second is not None

    assert AnswerCache.key(https, first, 512) != AnswerCache.key(other, second, 512)


def test_what_does_not_fit_is_left_out_and_said_so() -> None:
    packed = pack_reply(request(limit=512), Reply(answers=addresses(100)), 1, edns=False)

    parsed = DNSRecord.parse(packed)
    assert len(packed) <= 512
    assert parsed.header.tc == 1
    assert 20 <= len(parsed.rr) < 30


def test_additional_records_leave_first_and_silently() -> None:
    answers = [records.srv(NAME, 30, weight=10, port=80, target=f"host-{number}.example.org.") for number in range(9)]
    extra = [records.address(f"host-{number}.example.org.", 30, "10.0.0.1") for number in range(9)]

    packed = pack_reply(request(limit=512, qtype=SRV), Reply(answers=answers, additional=extra), 1, edns=False)

    parsed = DNSRecord.parse(packed)
    assert (len(parsed.rr), parsed.header.tc) == (9, 0)
    assert len(parsed.ar) < 9
