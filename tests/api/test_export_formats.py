"""What is written is what was there, whatever it was."""

import io
import json
from datetime import UTC, date
from typing import Any, get_args

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.export_files import Digested
from api.export_formats import Csv, Ndjson
from api.parquet import Parquet
from queries.exports import Field, Kind
from tests.api.exported import READERS

FORMATS: dict[str, Any] = {"csv": Csv, "ndjson": Ndjson, "parquet": Parquet}

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20) | st.sampled_from(
    ["", '"', '""', ",", "\n", "\r\n", "a\nb", '{"a": 1}', "null", "\\N", "NULL", " ", "=1+1", "İ\u0301"]
)
documents = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "uuid": st.uuids(),
    "text": texts,
    "texts": st.lists(texts, max_size=3),
    "boolean": st.booleans(),
    "integer": st.integers(-(2**31), 2**31 - 1),
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "time": st.datetimes(timezones=st.just(UTC)),
    "date": st.dates(date(1, 1, 1)),
    "json": st.builds(json.dumps, documents, indent=st.sampled_from([None, 2]), ensure_ascii=st.booleans()),
}
FIELDS = tuple(Field(f"{kind} of it", kind) for kind in get_args(Kind))
rows = st.lists(st.tuples(*(st.none() | VALUES[field.kind] for field in FIELDS)), max_size=5)


def written(form: str, batches: list[list[Any]], **stamp: str) -> bytes:
    file = io.BytesIO()
    digested = Digested(file)
    writer = FORMATS[form](digested, FIELDS, stamp)
    for batch in batches:
        writer.write(batch)
    writer.end()
    assert digested.size == len(file.getvalue())
    return file.getvalue()


@pytest.mark.parametrize("form", FORMATS)
@settings(max_examples=50)
@given(first=rows, second=rows)
def test_is_read_back_as_it_was(form, first, second):
    read = READERS[form](written(form, [batch for batch in (first, second) if batch]), FIELDS)
    expected = [
        {
            field.name: json.loads(value) if field.kind == "json" and value is not None else value
            for field, value in zip(FIELDS, row, strict=True)
        }
        for row in first + second
    ]
    assert read == expected


def test_every_kind_has_its_type_in_parquet():
    file = pq.ParquetFile(io.BytesIO(written("parquet", [], **{"muster.position": "17"})))
    kinds = {column.name.split(" ")[0]: str(column.logical_type.type) for column in map(file.schema.column, range(9))}
    assert kinds["uuid"] == "UUID"
    assert kinds["json"] == "JSON"
    assert kinds["time"] == "TIMESTAMP"
    assert kinds["date"] == "DATE"
    assert file.schema_arrow.field("texts of it").type.value_type == "string"
    assert file.metadata.metadata[b"muster.position"] == b"17"


def test_a_line_of_json_is_one_line():
    data = written("ndjson", [[(None,) * 8 + ('{\n  "a": [1,\r\n 2]\n}',)]])
    assert data.count(b"\n") == 1
    assert data.endswith(b'"json of it":{"a":[1,2]}}\n')
