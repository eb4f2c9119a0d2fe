"""The library's tables. A change is a new entry of MIGRATIONS; old entries never change.

Paths are stored as the bytes the system uses (``os.fsencode``), because names need not be
UTF-8; ``shown`` is the same path as readable text, for search.
"""

from __future__ import annotations

import json
import re
import struct

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE content (
        id INTEGER PRIMARY KEY,
        hash BLOB NOT NULL UNIQUE,
        size INTEGER NOT NULL,
        format TEXT NOT NULL,
        width INTEGER NOT NULL,
        height INTEGER NOT NULL,
        orientation INTEGER NOT NULL,
        bit_depth INTEGER NOT NULL,
        has_alpha INTEGER NOT NULL,
        frames INTEGER NOT NULL,
        lossless INTEGER NOT NULL,
        metadata TEXT NOT NULL
    );
    CREATE INDEX content_size ON content (size);

    CREATE TABLE file (
        id INTEGER PRIMARY KEY,
        path BLOB NOT NULL UNIQUE,
        shown TEXT NOT NULL,
        size INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        ctime_ns INTEGER NOT NULL,
        device INTEGER NOT NULL,
        inode INTEGER NOT NULL,
        links INTEGER NOT NULL,
        content INTEGER REFERENCES content (id),
        failed_stage TEXT,
        failed_message TEXT,
        failed_limits TEXT,
        gone INTEGER NOT NULL DEFAULT 0
    );
    CREATE INDEX file_content ON file (content);

    CREATE TABLE fingerprint (
        content INTEGER NOT NULL REFERENCES content (id) ON DELETE CASCADE,
        name TEXT NOT NULL,
        version INTEGER NOT NULL,
        data BLOB NOT NULL,
        PRIMARY KEY (name, content)
    );

    -- ``verifier`` names the mode and versions that accepted the pair.
    CREATE TABLE match (
        verifier TEXT NOT NULL,
        a INTEGER NOT NULL REFERENCES content (id) ON DELETE CASCADE,
        b INTEGER NOT NULL REFERENCES content (id) ON DELETE CASCADE,
        relation TEXT NOT NULL,
        transform TEXT,
        mirrored INTEGER NOT NULL,
        negative INTEGER NOT NULL,
        share_a REAL NOT NULL,
        share_b REAL NOT NULL,
        score REAL NOT NULL,
        agreement REAL NOT NULL,
        brightness REAL NOT NULL,
        same_photograph INTEGER NOT NULL,
        PRIMARY KEY (verifier, a, b),
        CHECK (a < b)
    ) WITHOUT ROWID;

    -- Which pairs were verified, matched or not: for content a, the ids of b as int32.
    CREATE TABLE verified (
        verifier TEXT NOT NULL,
        a INTEGER NOT NULL REFERENCES content (id) ON DELETE CASCADE,
        others BLOB NOT NULL,
        PRIMARY KEY (verifier, a)
    ) WITHOUT ROWID;

    CREATE TABLE similar_pair (
        scan INTEGER NOT NULL REFERENCES scan (id) ON DELETE CASCADE,
        a INTEGER NOT NULL,
        b INTEGER NOT NULL,
        cosine REAL NOT NULL,
        PRIMARY KEY (scan, a, b)
    ) WITHOUT ROWID;

    CREATE TABLE dismissed (
        first BLOB NOT NULL,
        second BLOB NOT NULL,
        at REAL NOT NULL,
        PRIMARY KEY (first, second),
        CHECK (first < second)
    ) WITHOUT ROWID;

    CREATE TABLE scan (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        roots TEXT NOT NULL,
        settings TEXT NOT NULL,
        state TEXT NOT NULL,
        started REAL NOT NULL,
        finished REAL,
        files INTEGER NOT NULL DEFAULT 0,
        decoded INTEGER NOT NULL DEFAULT 0,
        failures INTEGER NOT NULL DEFAULT 0,
        message TEXT NOT NULL DEFAULT '',
        basis BLOB
    );

    CREATE TABLE scan_file (
        scan INTEGER NOT NULL REFERENCES scan (id) ON DELETE CASCADE,
        file INTEGER NOT NULL REFERENCES file (id) ON DELETE CASCADE,
        removable INTEGER NOT NULL,
        protected INTEGER NOT NULL,
        PRIMARY KEY (scan, file)
    ) WITHOUT ROWID;

    CREATE TABLE scan_failure (
        scan INTEGER NOT NULL REFERENCES scan (id) ON DELETE CASCADE,
        path BLOB NOT NULL,
        stage TEXT NOT NULL,
        message TEXT NOT NULL,
        PRIMARY KEY (scan, path)
    ) WITHOUT ROWID;

    CREATE TABLE grouping (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        scan INTEGER NOT NULL REFERENCES scan (id) ON DELETE CASCADE,
        kind TEXT NOT NULL,
        keeper INTEGER NOT NULL REFERENCES file (id),
        reasons TEXT NOT NULL,
        members INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        newest INTEGER NOT NULL,
        score REAL NOT NULL
    );
    CREATE INDEX grouping_space ON grouping (scan, bytes);
    CREATE INDEX grouping_count ON grouping (scan, members);
    CREATE INDEX grouping_date ON grouping (scan, newest);
    CREATE INDEX grouping_score ON grouping (scan, score);

    CREATE TABLE member (
        grouping INTEGER NOT NULL REFERENCES grouping (id) ON DELETE CASCADE,
        position INTEGER NOT NULL,
        file INTEGER NOT NULL REFERENCES file (id),
        relation TEXT NOT NULL,
        words TEXT NOT NULL,
        transform TEXT,
        mirrored INTEGER NOT NULL,
        overlap REAL NOT NULL,
        score REAL NOT NULL,
        selected INTEGER NOT NULL,
        PRIMARY KEY (grouping, position)
    ) WITHOUT ROWID;
    CREATE INDEX member_file ON member (file);
    CREATE INDEX member_selected ON member (grouping) WHERE selected = 1;

    CREATE TABLE recent_folder (
        path BLOB PRIMARY KEY,
        used REAL NOT NULL
    ) WITHOUT ROWID;

    CREATE TABLE preference (
        name TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) WITHOUT ROWID;
    """,
    """
    -- 1 where a person, not a rule of the program, said whether the file is selected.
    ALTER TABLE member ADD COLUMN decided INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX member_decided ON member (grouping) WHERE decided = 1;
    """,
    "CREATE INDEX file_gone ON file (id) WHERE gone = 1",
    # Which contents are done is asked at the start of every scan, and the rows hold the data.
    "CREATE INDEX fingerprint_version ON fingerprint (name, version, content)",
    # ``pairs``: records of content ids a and b (int32) and their cosine (float32).
    """
    CREATE TABLE look_alikes (
        scan INTEGER NOT NULL REFERENCES scan (id) ON DELETE CASCADE,
        part INTEGER NOT NULL,
        pairs BLOB NOT NULL,
        PRIMARY KEY (scan, part)
    );
    INSERT INTO look_alikes SELECT scan, number / 131072, pack_pairs(a, b, cosine) FROM
        (SELECT *, row_number() OVER (PARTITION BY scan ORDER BY a, b) - 1 AS number
        FROM similar_pair) GROUP BY scan, number / 131072;
    DROP TABLE similar_pair
    """,
    # A scan that found all as an earlier one did has no files and groups of its own.
    """
    ALTER TABLE scan ADD COLUMN same_as INTEGER REFERENCES scan (id) ON DELETE CASCADE;
    CREATE INDEX scan_same_as ON scan (same_as, id)
    """,
    # Decisions about groups, and for each row that one changed the statement that takes it back.
    """
    CREATE TABLE decision (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        scan INTEGER NOT NULL REFERENCES scan (id) ON DELETE CASCADE,
        at REAL NOT NULL,
        kind TEXT NOT NULL,
        facts TEXT NOT NULL
    );
    CREATE INDEX decision_scan ON decision (scan, id);
    CREATE TABLE decision_step (
        id INTEGER PRIMARY KEY,
        decision INTEGER NOT NULL REFERENCES decision (id) ON DELETE CASCADE,
        grouping INTEGER,
        way_back TEXT NOT NULL
    );
    CREATE INDEX decision_step_of ON decision_step (decision, id)
    """,
    # How often in a row a file was tried in vain, and when last, where a later try may succeed.
    # What was too much for the memory had the stage of what is larger than a limit.
    """
    ALTER TABLE file ADD COLUMN failed_tries INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE file ADD COLUMN failed_at REAL NOT NULL DEFAULT 0;
    UPDATE file SET failed_stage = 'memory' WHERE failed_stage = 'limits'
        AND failed_message LIKE 'Decoding needs more%memory%'
    """,
    # What a picture shows of others, from the other side; the primary key has the first one.
    """
    CREATE INDEX match_part_of ON match (verifier, b) WHERE share_b < share_a;
    CREATE TABLE chosen (
        content BLOB NOT NULL,
        keeper BLOB NOT NULL,
        at REAL NOT NULL,
        PRIMARY KEY (content, keeper)
    ) WITHOUT ROWID
    """,
    # Closer looks at pairs, see store/matches.py; and what they say of a member beside its witness:
    # codes of Lack with commas between, decibels, and the places that differ.
    """
    CREATE TABLE look (
        a INTEGER NOT NULL REFERENCES content (id) ON DELETE CASCADE,
        b INTEGER NOT NULL REFERENCES content (id) ON DELETE CASCADE,
        version INTEGER NOT NULL,
        data BLOB NOT NULL,
        PRIMARY KEY (a, b),
        CHECK (a < b)
    ) WITHOUT ROWID;
    CREATE INDEX look_b ON look (b);
    ALTER TABLE member ADD COLUMN witness INTEGER REFERENCES file (id);
    ALTER TABLE member ADD COLUMN lacks TEXT NOT NULL DEFAULT '';
    ALTER TABLE member ADD COLUMN detail REAL;
    ALTER TABLE member ADD COLUMN differences BLOB
    """,
    # Reasons and descriptions are codes (messages.py), where they were English texts.
    """
    ALTER TABLE member RENAME COLUMN words TO description;
    UPDATE member SET description = description_as_codes(description);
    UPDATE grouping SET reasons = reasons_as_codes(reasons);
    UPDATE decision_step SET way_back = replace(way_back,
        '(grouping, position, file, relation, words,',
        '(grouping, position, file, relation, description,')
        WHERE way_back LIKE 'INSERT INTO member (%'
    """,
    # Whether a person chose the keeper, also where undoing brings a group back; it was known by its
    # only reason.
    """
    ALTER TABLE grouping ADD COLUMN chosen INTEGER NOT NULL DEFAULT 0;
    UPDATE grouping SET chosen = 1 WHERE reasons = '[["keep.chosen"]]';
    UPDATE decision_step SET way_back = replace(replace(replace(way_back,
        '["chosen by you"]', '[["keep.chosen"]]'),
        'INSERT INTO grouping (', 'INSERT INTO grouping (chosen, '), ' VALUES (', ' VALUES (1, ')
        WHERE way_back LIKE 'INSERT INTO grouping (%' AND
        (way_back LIKE '%''["chosen by you"]''%' OR way_back LIKE '%''[["keep.chosen"]]''%');
    CREATE INDEX grouping_chosen ON grouping (scan) WHERE chosen
    """,
    # Plain names: the digest of a scan's inputs, the scan that superseded it, similar pairs.
    """
    ALTER TABLE scan RENAME COLUMN basis TO inputs;
    ALTER TABLE scan RENAME COLUMN same_as TO superseded_by;
    ALTER TABLE look_alikes RENAME TO similar_pairs
    """,
    # Codes also in the statements that bring back groups and members.
    """
    UPDATE decision_step SET way_back = way_back_as_codes(way_back)
        WHERE way_back LIKE 'INSERT INTO grouping (%' OR way_back LIKE 'INSERT INTO member (%'
    """,
)


_RECORD = struct.Struct("<iif")


class PackPairs:
    """An SQL aggregate for a migration: ``pack_pairs(a, b, cosine)``.

    Records of two int32 and a float32, ordered by pair.
    """

    def __init__(self) -> None:
        self._rows: list[tuple[int, int, float]] = []

    def step(self, a: int, b: int, cosine: float) -> None:
        """Take one row."""
        self._rows.append((a, b, cosine))

    def finalize(self) -> bytes:
        """The records of all rows."""
        return b"".join(_RECORD.pack(*row) for row in sorted(self._rows))


def reasons_as_codes(reasons: str) -> str:
    """Keep reasons as codes, from a JSON list of English texts."""
    return _as_codes(json.loads(reasons))


def description_as_codes(text: str) -> str:
    """A description as codes, from English text with commas."""
    return _as_codes(text.split(", "))


def way_back_as_codes(statement: str) -> str:
    """A statement that inserts a group or member, with codes in place of its English texts."""
    found = _REASONS.search(statement) or _DESCRIPTION.match(statement)
    if found is None:
        return statement
    convert = reasons_as_codes if found.re is _REASONS else description_as_codes
    codes = convert(found["text"].replace("''", "'"))
    before, after = statement[: found.start("text")], statement[found.end("text") :]
    return before + codes.replace("'", "''") + after


_REASONS = re.compile(r"^INSERT INTO grouping \(.*'(?P<text>\[\"(?:[^']|'')*\])'", re.DOTALL)
_DESCRIPTION = re.compile(
    r"INSERT INTO member \(grouping, position, file, relation, description,[^)]*\) VALUES"
    r" \(\d+,\d+,\d+,'\w+','(?P<text>(?!\[)(?:[^']|'')*)'",
)


def _as_codes(texts: list[str]) -> str:
    """As :func:`.messages.messages_to_json` writes them. Texts with figures in them stay texts."""
    coded = [[_CODES[text]] if text in _CODES else text for text in texts]
    return json.dumps(coded, separators=(",", ":"))


_CODES = {
    "in a protected folder": "keep.protected",
    "shows the whole picture": "keep.whole",
    "holds all that others hold, and more": "keep.complete",
    "camera original": "keep.original",
    "shows finer detail": "keep.detail",
    "largest picture": "keep.pixels",
    "better format or lighter compression": "keep.quality",
    "has more metadata": "keep.metadata",
    "has files that belong to it": "keep.companions",
    "oldest file": "keep.older",
    "name does not say it is a copy": "keep.name",
    "first by path": "keep.path",
    "chosen by you": "keep.chosen",
    "identical file": "is.identical_file",
    "identical pixels": "is.identical_pixels",
    "saved again": "is.saved_again",
    "another shot of the same scene": "is.another_shot",
    "edited": "is.edited",
    "mirrored": "is.mirrored",
    "mirrored top to bottom": "is.flipped",
    "turned right": "is.rotated_90",
    "upside down": "is.rotated_180",
    "turned left": "is.rotated_270",
    "inverted": "is.inverted",
    "an eighth of the size": "is.eighth",
    "a quarter of the size": "is.quarter",
    "a third of the size": "is.third",
    "half the size": "is.half",
    "twice the size": "is.twice",
    "three times the size": "is.three_times",
    "four times the size": "is.four_times",
    "lighter": "is.lighter",
    "darker": "is.darker",
}
"""English texts that earlier versions stored."""
