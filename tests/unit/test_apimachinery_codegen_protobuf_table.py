from __future__ import annotations

from pathlib import Path

from kube.apimachinery.codec.protobuf_table import table
from kube.apimachinery.codegen.protobuf_table import kept, line, read

PROTO = """
package k8s.io.api.zoo.v1;

// message Commented { optional string no = 1; }
message Cage {
  // which animals
  repeated Animal animals = 1;
  map<string, k8s.io.api.zoo.v1.Animal> byName = 2;
  optional .k8s.io.api.zoo.v1.CageBase base = 3;
  optional int32 doors = 4;
  optional bool locked = 5;
}
message Animal {
  optional string name = 2;
}
message CageBase {
  optional string material = 1;
}
message Unused {
  optional string x = 1;
}
"""
GO = """
type Cage struct {
\tAnimals []Animal `json:"animals,omitempty" protobuf:"bytes,1,rep,name=animals"`
\tByName map[string]Animal `json:"by-name" protobuf:"bytes,2,rep,name=byName"`
\tCageBase `json:",inline" protobuf:"bytes,3,opt,name=base"`
\tDoors *int32 `json:"doors,omitempty" protobuf:"varint,4,opt,name=doors"`
\t// is it locked
\tLocked bool `json:"locked,omitempty" protobuf:"varint,5,opt,name=locked"`
}
"""


def test_numbers_come_from_proto_and_names_from_go(tmp_path: Path) -> None:
    (tmp_path / "generated.proto").write_text(PROTO)
    (tmp_path / "types.go").write_text(GO)

    messages = read([tmp_path])

    package = "io.k8s.api.zoo.v1"
    assert line(package, messages[f"{package}.Cage"]) == "animals:1[Animal? by-name:2{Animal <:3CageBase doors:4i* locked:5b?"
    assert line(package, messages[f"{package}.Animal"]) == "name:2s?"
    assert f"{package}.Unused" in kept(messages)


def test_the_committed_table_refers_to_nothing_it_lacks() -> None:
    for message in table().messages():
        for field in table().fields(message):
            assert field.scalar or field.type in table(), f"{message}.{field.name}"
