"""Tables for pandas and Arrow, Parquet files, and graphs for NetworkX (the extra ``data``).

The one module that imports these libraries, each where it is asked for.
"""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from image_duplicate_finder.errors import UsageError

if TYPE_CHECKING:
    import networkx
    import pandas
    import pyarrow

_ARROW_TYPES = {"int": "int64", "float": "float64", "str": "string", "bool": "bool_"}


def to_arrow(kind: type[Any], rows: Iterable[Any]) -> pyarrow.Table:
    """An Arrow table of ``rows``, instances of the dataclass ``kind``; its fields are columns.

    None becomes null. Raises UsageError where pyarrow is not installed.
    """
    with _needed("pyarrow"):
        import pyarrow
    listed = list(rows)
    types = {each.name: str(each.type).split(" | ")[0] for each in fields(kind)}
    schema = pyarrow.schema(
        [(name, getattr(pyarrow, _ARROW_TYPES[type])()) for name, type in types.items()]
    )
    columns = {name: [getattr(row, name) for row in listed] for name in types}
    return pyarrow.table(columns, schema=schema)


def to_pandas(kind: type[Any], rows: Iterable[Any]) -> pandas.DataFrame:
    """A data frame of ``rows``, instances of the dataclass ``kind``; its fields are columns.

    Raises UsageError where pandas is not installed.
    """
    with _needed("pandas"):
        import pandas
    names = [each.name for each in fields(kind)]
    return pandas.DataFrame([[getattr(row, name) for name in names] for row in rows], columns=names)


def to_graph(
    nodes: Iterable[tuple[Hashable, dict[str, object]]],
    edges: Iterable[tuple[Hashable, Hashable, dict[str, object]]],
) -> networkx.Graph:
    """An undirected graph of nodes and edges with attributes.

    Raises UsageError where networkx is not installed.
    """
    with _needed("networkx"):
        import networkx
    graph = networkx.Graph()
    graph.add_nodes_from(nodes)
    graph.add_edges_from(edges)
    return graph


def write_parquet(kind: type[Any], rows: Iterable[Any], path: str | os.PathLike[str]) -> None:
    """Write ``rows``, instances of the dataclass ``kind``, as a Parquet file.

    Raises UsageError where pyarrow is not installed, and OSError.
    """
    table = to_arrow(kind, rows)
    from pyarrow import parquet

    parquet.write_table(table, path)


@contextmanager
def _needed(package: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise UsageError(f"This needs {package}: pip install {package}") from error
