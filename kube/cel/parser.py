"""Tokens to a tree: operator precedence by hand. CEL's grammar, with optional syntax; macros are expanded on the way.

Positions and messages follow cel-go: a call stands at its parenthesis, an operator at its sign, a selection at its dot.
"""

from __future__ import annotations

from typing import Final

from kube.cel.errors import CompileError, Issue
from kube.cel.lexer import RESERVED, Token, bytes_value, string_value, tokens_of
from kube.cel.macros import BINDINGS, METHODS, Expander, MacroError, Maker, expand_has
from kube.cel.tree import Call, Ident, ListNode, Literal, MapNode, Node, Select, Struct
from kube.cel.values import INT_MAX, INT_MIN, UINT_MAX, UInt

MAX_CODE_POINTS: Final = 100_000
MAX_DEPTH: Final = 250
_TOO_DEEP: Final = f"expression recursion limit exceeded: {MAX_DEPTH}"
_TOO_LONG: Final = "max recursion depth exceeded"        # chains of operators, selections, indices
_OPERAND: Final = ("{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}")
_ENTRY: Final = ("{'[', '{', '}', '(', '.', ',', '-', '!', '?', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, "
                 "IDENTIFIER}")
_LEVELS: Final = (
    {"<": "_<_", "<=": "_<=_", ">=": "_>=_", ">": "_>_", "==": "_==_", "!=": "_!=_", "in": "@in"},
    {"+": "_+_", "-": "_-_"},
    {"*": "_*_", "/": "_/_", "%": "_%_"},
)
_OPERATORS: Final = {sign: (level, function) for level, signs in enumerate(_LEVELS) for sign, function in signs.items()}


class _Stop(Exception):
    """Nothing sensible follows; what is wrong has been noted."""


def parse(source: str, *, bindings: bool = False) -> tuple[Node, int]:
    """The tree, and the next free id. `bindings`: cel.bind is known. Raises CompileError."""
    if len(source) > MAX_CODE_POINTS:
        raise CompileError(
            [Issue(-1, f"expression code point size exceeds limit: size: {len(source)}, limit {MAX_CODE_POINTS}")], source)
    parser = _Parser(source, bindings=bindings)
    try:
        node = parser.whole()
    except _Stop:
        node = None
    except RecursionError:
        raise CompileError([Issue(-1, _TOO_DEEP)], source) from None
    if parser.issues or node is None:
        raise CompileError(parser.issues, source)
    return node, parser.last_id + 1


class _Parser:
    def __init__(self, source: str, *, bindings: bool) -> None:
        self.issues: list[Issue] = []
        self.tokens = tokens_of(source, self.issues)
        self.index = 0
        self.token = self.tokens[0]
        self.last_id = 0
        self.depth = 0                 # of operators, selections and indices
        self.nesting = 0               # of expressions in others
        self.bindings = bindings

    def next_id(self) -> int:
        self.last_id += 1
        return self.last_id

    def advance(self) -> Token:
        token = self.token
        self.index += 1
        self.token = self.tokens[min(self.index, len(self.tokens) - 1)]
        return token

    def at(self, text: str) -> bool:
        return self.token.text == text and self.token.kind == "OP"

    def take(self, text: str) -> bool:
        if self.at(text):
            self.advance()
            return True
        return False

    def report(self, offset: int, message: str) -> None:
        self.issues.append(Issue(offset, message))

    def unexpected(self, expecting: str, *, deletable: bool = False) -> _Stop:
        kind = "extraneous" if deletable else "mismatched"
        self.report(self.token.offset, f"Syntax error: {kind} input '{self.token.text}' expecting {expecting}")
        return _Stop()

    def expect(self, text: str) -> Token:
        if not self.at(text):
            raise self.unexpected(f"'{text}'")
        return self.advance()

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self.report(-1, _TOO_LONG)
            raise _Stop

    def whole(self) -> Node:
        node = self.expression()
        if self.token.kind != "EOF":
            following = self.tokens[self.index + 1]
            raise self.unexpected("<EOF>", deletable=following.kind == "EOF")
        return node

    def expression(self) -> Node:
        self.nesting += 1
        if self.nesting > MAX_DEPTH:
            self.report(-1, _TOO_DEEP)
            raise _Stop
        node = self.logic()
        if self.at("?"):
            at = self.advance().offset
            then = self.logic()
            self.expect(":")
            node = Call(self.next_id(), at, "_?_:_", [node, then, self.expression()])
        self.nesting -= 1
        return node

    def logic(self) -> Node:
        """Chains of && within chains of ||, each as a balanced tree, so that long ones stay shallow."""
        wide: list[Node] = []
        wide_places: list[tuple[int, int]] = []
        while True:
            terms, places = [self.binary(0)], []
            while self.at("&&"):
                places.append((self.next_id(), self.advance().offset))
                terms.append(self.binary(0))
            wide.append(_balanced("_&&_", terms, places))
            if not self.at("||"):
                return _balanced("_||_", wide, wide_places)
            wide_places.append((self.next_id(), self.advance().offset))

    def binary(self, lowest: int) -> Node:
        """Operators that bind at least as strongly as those of _LEVELS[lowest], from left to right."""
        before = self.depth
        node = self.unary()
        while self.token.kind == "OP" and (found := _OPERATORS.get(self.token.text)) and found[0] >= lowest:
            self.deeper()
            at, id_ = self.advance().offset, self.next_id()
            node = Call(id_, at, found[1], [node, self.binary(found[0] + 1)])
        self.depth = before
        return node

    def unary(self) -> Node:
        if self.at("!"):
            return self.repeated("!", "!_")
        if self.at("-") and self.tokens[self.index + 1].kind not in ("INT", "FLOAT"):
            return self.repeated("-", "-_")
        return self.member()

    def repeated(self, sign: str, function: str) -> Node:
        at, count = self.token.offset, 0
        while self.at(sign):
            self.advance()
            count += 1
        id_ = self.next_id()
        node = self.member()
        return Call(id_, at, function, [node]) if count % 2 else node

    def member(self) -> Node:
        before = self.depth
        node = self.primary()
        while self.token.kind == "OP":
            if self.at("."):
                self.deeper()
                node = self.selection(node)
            elif self.at("["):
                self.deeper()
                at, id_ = self.advance().offset, self.next_id()
                function = "_[?_]" if self.take("?") else "_[_]"
                index = self.expression()
                self.expect("]")
                node = Call(id_, at, function, [node, index])
            else:
                break
        self.depth = before
        return node

    def selection(self, operand: Node) -> Node:
        dot = self.advance().offset
        optional = self.take("?")
        if self.token.kind not in ("IDENT", "QUOTED"):
            if self.token.text in ("true", "false", "null"):
                raise self.unexpected("IDENTIFIER")
            self.report(self.token.offset, f"Syntax error: no viable alternative at input '.{self.token.text}'")
            raise _Stop
        token = self.advance()
        if token.kind == "IDENT" and not optional and self.at("("):
            return self.call(token.text, operand)
        field = token.text if token.kind == "IDENT" else token.text[1:-1]
        id_ = self.next_id()
        if optional:
            return Call(id_, dot, "_?._", [operand, Literal(self.next_id(), token.offset, field)])
        return Select(id_, dot, operand, field)

    def call(self, function: str, target: Node | None) -> Node:
        opening, id_ = self.expect("(").offset, self.next_id()
        args = []
        if not self.at(")"):
            args.append(self.expression())
            while self.take(","):
                args.append(self.expression())
        if not self.at(")"):
            raise self.unexpected("{')', ','}" if args else "')'")
        self.advance()
        try:
            return self.expanded(opening, function, target, args) or Call(id_, opening, function, args, target)
        except MacroError as error:
            self.report(error.offset, error.message)
            return Literal(id_, opening, False)

    def expanded(self, offset: int, function: str, target: Node | None, args: list[Node]) -> Node | None:
        if target is None:
            return expand_has(Maker(offset, self.next_id), args) if function == "has" and len(args) == 1 else None
        expander: Expander | None = METHODS.get((function, len(args)))
        if expander is None and self.bindings and isinstance(target, Ident) and target.name == "cel":
            expander = BINDINGS.get((function, len(args)))
        return None if expander is None else expander(Maker(offset, self.next_id), target, args)

    def primary(self) -> Node:
        token = self.token
        if token.kind == "IDENT" or (self.at(".") and self.tokens[self.index + 1].kind == "IDENT"):
            return self.named()
        if token.kind in ("INT", "UINT", "FLOAT", "STRING", "BYTES") or token.text in ("true", "false", "null"):
            return self.literal()
        if self.at("-") and self.tokens[self.index + 1].kind in ("INT", "FLOAT"):
            return self.literal()
        if self.take("("):
            node = self.expression()
            self.expect(")")
            return node
        if self.at("["):
            return self.list_literal()
        if self.at("{"):
            return self.map_literal()
        return self.recovered()

    def recovered(self) -> Node:
        """One token too many, or none that begins an operand."""
        following = self.tokens[min(self.index + 1, len(self.tokens) - 1)]
        if following.kind not in ("OP", "EOF") or following.text in ("true", "false", "null", "[", "{", "("):
            self.unexpected(_OPERAND, deletable=True)
            self.advance()
            return self.primary()
        raise self.unexpected(_OPERAND)

    def named(self) -> Node:
        dot = "." if self.take(".") else ""
        token = self.advance()
        if (end := self.struct_name_end()) is not None:
            name = dot + token.text + "".join(found.text for found in self.tokens[self.index:end])
            while self.index < end:
                self.advance()
            return self.struct(name)
        if token.text in RESERVED:
            self.report(token.offset, f"reserved identifier: {token.text}")
        if self.at("("):
            return self.call(dot + token.text, None)
        return Ident(self.next_id(), token.offset, dot + token.text)

    def struct_name_end(self) -> int | None:
        """Index of the brace in `a.b.C{`, seen from behind the first name."""
        index = self.index
        while self.tokens[index].text == "." and self.tokens[index + 1].kind == "IDENT":
            index += 2
        token = self.tokens[index]
        return index if token.kind == "OP" and token.text == "{" else None

    def struct(self, name: str) -> Node:
        at, id_ = self.expect("{").offset, self.next_id()
        fields = []
        while not self.at("}"):
            optional = self.take("?")
            if self.token.kind not in ("IDENT", "QUOTED"):
                raise self.unexpected("{'}', ',', '?', IDENTIFIER, ESC_IDENTIFIER}")
            token = self.advance()
            colon = self.expect(":").offset
            fields.append((colon, token.text.strip("`"), self.expression(), optional))
            if not self.take(","):
                break
        if not self.at("}"):
            raise self.unexpected("{'}', ','}")
        self.advance()
        return Struct(id_, at, name, fields)

    def list_literal(self) -> Node:
        at, id_ = self.advance().offset, self.next_id()
        items: list[Node] = []
        optional = set()
        while not self.at("]"):
            if self.take("?"):
                optional.add(len(items))
            items.append(self.expression())
            if not self.take(","):
                break
        if not self.at("]"):
            raise self.unexpected("{']', ','}")
        self.advance()
        return ListNode(id_, at, items, frozenset(optional))

    def map_literal(self) -> Node:
        at, id_ = self.advance().offset, self.next_id()
        entries = []
        if self.token.kind == "EOF":
            raise self.unexpected(_ENTRY)
        while not self.at("}"):
            optional = self.take("?")
            key = self.expression()
            self.expect(":")
            entries.append((key, self.expression(), optional))
            if not self.take(","):
                break
        if not self.at("}"):
            raise self.unexpected("{'}', ','}")
        self.advance()
        return MapNode(id_, at, entries)

    def literal(self) -> Node:
        at, sign = self.token.offset, "-" if self.take("-") else ""
        token, value = self.advance(), None
        try:
            value = _value(token, sign)
        except ValueError as error:
            self.report(at, str(error))
        return Literal(self.next_id(), at, value)


def _balanced(function: str, terms: list[Node], places: list[tuple[int, int]]) -> Node:
    if len(terms) == 1:
        return terms[0]
    middle = len(places) // 2
    left = _balanced(function, terms[:middle + 1], places[:middle])
    right = _balanced(function, terms[middle + 1:], places[middle + 1:])
    return Call(*places[middle], function, [left, right])


def _value(token: Token, sign: str) -> object:
    text = token.text
    match token.kind:
        case "INT":
            number = int(sign + text, 16 if text.startswith("0x") else 10) if len(text) < 30 else INT_MAX + 1
            if not INT_MIN <= number <= INT_MAX:
                raise ValueError("invalid int literal")
            return number
        case "UINT":
            number = int(text[:-1], 16 if text.startswith("0x") else 10) if len(text) < 30 else UINT_MAX + 1
            if number > UINT_MAX:
                raise ValueError("invalid uint literal")
            return UInt(number)
        case "FLOAT":
            found = float(sign + text)
            if found in (float("inf"), float("-inf")):
                raise ValueError("invalid double literal")
            return found
        case "STRING":
            return string_value(text)
        case "BYTES":
            return bytes_value(text)
    return {"true": True, "false": False, "null": None}[text]
