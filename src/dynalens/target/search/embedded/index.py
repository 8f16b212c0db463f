"""One generation as a Tantivy index: rows written under versions, and views to read.

Every id has at most one row, a document or a tombstone. A batch is one commit, so that readers, a crash and a power cut
see all of it or nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import tantivy
from tantivy import FieldType, Occur, Query

from dynalens.change import Document
from dynalens.errors import TargetError
from dynalens.target.search.embedded import schema
from dynalens.target.search.embedded.view import total
from dynalens.target.search.language.encode import Encoded
from dynalens.target.search.language.paths import point_name
from dynalens.target.search.language.points import point_token
from dynalens.target.search.language.tokens import string_token

_WRITER_BYTES = 50_000_000
"""What a writer may hold before it writes a segment; it takes only what it needs."""
_MICROSECONDS = 1_000_000
_BROKEN = "Look at permissions; where the files are broken, delete this folder and start again: it is built anew."
_FULL = "Look at disk space and permissions."


@dataclass(frozen=True, slots=True)
class Row:
    """What is to be held under an id: a document and what is looked up of it, or a tombstone."""

    id: str
    version: int
    document: Document | None = None
    encoded: Encoded | None = None


class GenerationIndex:
    """An index in a folder of its own. One thread at a time writes; views are taken beside it.

    Args:
        folder: Where it is kept; made when missing.

    Raises:
        TargetError: The folder holds no index that can be read.
    """

    def __init__(self, folder: Path) -> None:
        self._writing = threading.Lock()
        self._closed = False
        self._writer: tantivy.IndexWriter | None = None
        with _translated(f"open {folder}", hint=_BROKEN):
            folder.mkdir(parents=True, exist_ok=True)
            self.index = tantivy.Index(schema.make_schema(), str(folder))
            # Reloaded here after each commit: the engine's own way looks at the disk twice a second.
            self.index.config_reader("manual")
            self.index.reload()
            with self._writing:
                self._stamp = self._open_writer().commit_opstamp

    @property
    def stamp(self) -> int:
        """Number of the last commit; rises with each."""
        return self._stamp

    def searcher(self) -> tantivy.Searcher:
        """Give the rows as of the last commit; later ones do not change it."""
        return self.index.searcher()

    def versions(self, ids: Iterable[str]) -> dict[str, int]:
        """Give the version held under each of these ids that has a row."""
        searcher = self.searcher()
        if not searcher.num_docs:
            return {}
        found = {}
        for id_ in ids:
            hits = searcher.search(Query.term_query(self.index.schema, schema.ID, id_), 1, count=False).hits
            if hits:
                found[id_] = hits[0][1]
        versions = searcher.fast_field_values(schema.VERSION, list(found.values()))
        return {id_: int(version or 0) for id_, version in zip(found, versions, strict=True)}

    def write(self, rows: Iterable[Row], written_at: float) -> None:
        """Put each row in the place of what is held under its id; durable and seen when it returns.

        Of several rows of one id the last one stays. Rows are indexed in a thread of the engine while further ones are
        being made; an error from making one leaves nothing of all.
        """
        with self._committed() as writer:
            for row in rows:
                writer.delete_documents_by_term(schema.ID, row.id)
                writer.add_document(_document(row, written_at))

    def sweep(self, older_than: float) -> int:
        """Remove tombstones written before `older_than`, epoch seconds; return how many.

        No write comes between looking and removing, and no older row of an id is left beside its tombstone.
        """
        tombstone = Query.term_query(self.index.schema, schema.LIVE, field_value=False)
        old = Query.range_query(
            self.index.schema,
            schema.DELETED_AT,
            FieldType.Unsigned,
            upper_bound=max(0, int(older_than * _MICROSECONDS)),
            include_upper=False,
        )
        swept = Query.boolean_query([(Occur.Must, tombstone), (Occur.Must, old)])
        with _translated("sweep"):
            count = total(self.searcher(), swept)
        if count:
            with self._committed() as writer:
                count = total(self.searcher(), swept)
                writer.delete_documents_by_query(swept)
        return count

    def close(self) -> None:
        """Let go of the folder: nothing can be written any more; views stay."""
        with self._writing:
            self._closed = True
            self._writer = None

    @contextmanager
    def _committed(self) -> Iterator[tantivy.IndexWriter]:
        """Lend the writer and commit what was written; a failure leaves nothing of it."""
        with self._writing, _translated("write"):
            writer = self._open_writer()
            try:
                yield writer
                self._stamp = writer.commit()
            except BaseException:
                self._abandon(writer)
                raise
            self.index.reload()

    def _abandon(self, writer: tantivy.IndexWriter) -> None:
        """Let go of a writer that failed, which may be beyond use: the next one begins at the last commit."""
        self._writer = None
        # Whoever keeps the error keeps the writer, and with it the engine's lock; this takes it away.
        with suppress(ValueError, OSError):
            writer.wait_merging_threads()

    def _open_writer(self) -> tantivy.IndexWriter:
        if self._closed:
            raise TargetError("The search target is closed.", hint="Start dynalens again.")
        if self._writer is None:
            self._writer = self.index.writer(_WRITER_BYTES, 1)
            # A commit that was killed leaves files; the next one of the same number could not write its own.
            self._writer.garbage_collect_files()
        return self._writer


def _document(row: Row, written_at: float) -> tantivy.Document:
    document = tantivy.Document()
    document.add_text(schema.ID, row.id)
    document.add_unsigned(schema.VERSION, row.version)
    document.add_boolean(schema.LIVE, row.document is not None)
    if row.document is None or row.encoded is None:
        document.add_unsigned(schema.DELETED_AT, int(written_at * _MICROSECONDS))
        return document
    document.add_bytes(schema.DOCUMENT, row.document.json)
    document.add_bytes(schema.HINTS, row.document.types)
    for text in row.encoded.everywhere:
        document.add_text(schema.ALL, text)
    for type_ in row.encoded.types:
        document.add_text(schema.TYPES, type_)
    document.add_json(schema.TEXT, row.encoded.text)
    document.add_json(schema.EXACT, exact_values(row.id, row.encoded))
    return document


def exact_values(id_: str, encoded: Encoded) -> dict[str, Sequence[float] | Sequence[str]]:
    """Give what stands in `schema.EXACT`: tokens by path, and the columns beside them."""
    return {
        **encoded.exact,
        # The id once more as a token: in the order of all tokens, which sorting and paging go by.
        schema.ID: [string_token(id_)],
        **{schema.number_column(name): numbers for name, numbers in encoded.numbers.items()},
        **{schema.instant_column(name): instants for name, instants in encoded.instants.items()},
        **{
            schema.point_column(point_name(name)): list(map(point_token, points))
            for name, points in encoded.points.items()
        },
    }


@contextmanager
def _translated(action: str, hint: str = _FULL) -> Iterator[None]:
    """Turn what the engine raises into `TargetError`."""
    try:
        yield
    except (ValueError, OSError) as error:
        raise TargetError(f"The search engine could not {action}: {error}", hint=hint) from error
