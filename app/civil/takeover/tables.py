"""Files of paper acts brought to this node, what is wrong in them, and pages keyed twice. Local: no other node sees
them, and a file's content goes as soon as its acts stand in the register."""

from __future__ import annotations

import sqlalchemy as sa

from app.database import METADATA, Id

file = sa.Table(
    "takeover_file",
    METADATA,
    sa.Column("id", Id, primary_key=True),
    sa.Column("commune", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False, unique=True, comment="of content, mapping and sheet"),
    sa.Column("content", sa.LargeBinary, comment="zlib; null once every line was entered or refused"),
    sa.Column("sheet", sa.Text),
    sa.Column("encoding", sa.Text),
    sa.Column("mapping", sa.Text, nullable=False, comment="JSON"),
    sa.Column("officer", Id, nullable=False),
    sa.Column("officer_name", sa.Text, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False, comment="checking, checked, entering, done or keying"),
    sa.Column("lines", sa.BigInteger, nullable=False),
    sa.Column("done", sa.BigInteger, nullable=False, comment="lines gone through while entering"),
    sa.Column("entered", sa.BigInteger, nullable=False),
    sa.Column("known", sa.BigInteger, nullable=False, comment="stand in the register already, word for word"),
    sa.Column("wrong", sa.BigInteger, nullable=False),
    sa.Column("faults", sa.BigInteger, nullable=False),
    sa.Column("delays", sa.Text, nullable=False, comment="JSON"),
    sa.Index("ix_takeover_file_commune_at", "commune", "at", "id"),
)

fault = sa.Table(
    "takeover_fault",
    METADATA,
    sa.Column("file", Id, sa.ForeignKey("takeover_file.id"), primary_key=True),
    sa.Column("row", sa.BigInteger, primary_key=True),
    sa.Column("n", sa.BigInteger, primary_key=True),
    sa.Column("heading", sa.Text, nullable=False),
    sa.Column("field", sa.Text, nullable=False),
    sa.Column("found", sa.Text, nullable=False),
    sa.Column("expected", sa.Text, nullable=False),
)

keying = sa.Table(
    "takeover_keying",
    METADATA,
    sa.Column("id", Id, primary_key=True),
    sa.Column("commune", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("first", Id, sa.ForeignKey("takeover_file.id"), nullable=False, unique=True),
    sa.Column("second", Id, sa.ForeignKey("takeover_file.id"), nullable=False, unique=True),
    sa.Column(
        "fields", sa.BigInteger, nullable=False, comment="fields compared on lines both officers keyed"
    ),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("by", Id, nullable=False),
    sa.Index("ix_takeover_keying_commune_at", "commune", "at", "id"),
)

keyed_line = sa.Table(
    "takeover_keyed_line",
    METADATA,
    sa.Column("keying", Id, sa.ForeignKey("takeover_keying.id"), primary_key=True),
    sa.Column("n", sa.BigInteger, primary_key=True),
    sa.Column("number_key", sa.Text, nullable=False),
    sa.Column(
        "state",
        sa.Text,
        nullable=False,
        comment="equal, differs, first_only, second_only, wrong, taken, ruled, entered",
    ),
    sa.Column("first", sa.Text, comment="JSON: the fields as the first officer keyed them"),
    sa.Column("second", sa.Text, comment="JSON"),
    sa.Column("agreed", sa.Text, comment="JSON: the fields that enter the register"),
    sa.Column(
        "differing", sa.BigInteger, nullable=False, comment="fields the two officers keyed differently"
    ),
    sa.Column("first_wrong", sa.BigInteger, nullable=False, comment="fields the arbitration found wrong"),
    sa.Column("second_wrong", sa.BigInteger, nullable=False),
    sa.Column("ruled_by", Id),
    sa.Column("ruled_name", sa.Text),
    sa.Column("ruled_at", sa.Text),
    sa.UniqueConstraint("keying", "number_key"),
    sa.Index("ix_takeover_keyed_line_state", "keying", "state", "n"),
)
