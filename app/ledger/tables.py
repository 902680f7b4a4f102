"""Tables of the ledger: batches as signed, origins, areas, what waits, what is set aside, and the node itself."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from app.database import METADATA, Id

BigId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

node = sa.Table(
    "node",
    METADATA,
    sa.Column("one", sa.Integer, sa.CheckConstraint("one = 1", name="single"), primary_key=True),
    sa.Column("dev", Id, nullable=False),
    sa.Column("kind", sa.String(8), nullable=False),
    sa.Column("commune", sa.String(16)),
    sa.Column("ep", sa.BigInteger, nullable=False),
    sa.Column("feed", sa.String(36), nullable=False),
    sa.Column("demo", sa.Boolean, nullable=False),
    sa.Column("created_at", sa.String(30), nullable=False),
    sa.Column("province", sa.String(64)),
    sa.Column("node_cert", sa.Text),
    sa.Column("grant", sa.Text),
    sa.Column("upstream_url", sa.Text),
    sa.Column("upstream_node", Id),
    sa.Column("upstream_key", sa.Text),
    sa.Column("upstream_time", sa.String(30)),
    sa.Column("upstream_offset", sa.Float),
    sa.Column("relayed_at", sa.String(30)),
    sa.Column("clock_confirmed_at", sa.String(30)),
    sa.Column(
        "clock_jumped_at", sa.String(30), comment="more than a day at once; null: not, or confirmed since"
    ),
    sa.Column("starts", sa.BigInteger, nullable=False, server_default="0", comment="as in node.json"),
    sa.Column("catching_up", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("upstream_feed", sa.Text),
    sa.Column(
        "resent_through", sa.BigInteger, comment="while all batches go up once more: the last batch sent"
    ),
    sa.Column(
        "heard_sha256", sa.String(64), comment="the batch the province receipted last, as far as known here"
    ),
    sa.Column(
        "heard_at", sa.String(30), comment="when it did: a province that does not know of it was restored"
    ),
)

origin = sa.Table(
    "origin",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("dev", Id, nullable=False),
    sa.Column("ep", sa.BigInteger, nullable=False),
    sa.Column("ranges", sa.Text, nullable=False, comment="received operation numbers, JSON [[first,last],…]"),
    sa.Column(
        "revoked",
        sa.Boolean,
        nullable=False,
        server_default=sa.false(),
        comment="the device is revoked: each of its batches is judged (app.ledger.revocation)",
    ),
    sa.Column("brought", sa.Text, comment="numbers whose lines the province brought, in the same form"),
    sa.UniqueConstraint("dev", "ep"),
)

batch = sa.Table(
    "batch",
    METADATA,
    sa.Column("id", BigId, primary_key=True),
    sa.Column("origin", sa.Integer, sa.ForeignKey("origin.id")),
    sa.Column("dev", Id, nullable=False, comment="signer, also when the header is unreadable"),
    sa.Column("from_n", sa.BigInteger),
    sa.Column("to_n", sa.BigInteger),
    sa.Column("sha256", sa.String(64), nullable=False, unique=True),
    sa.Column("prev", sa.String(64)),
    sa.Column("signature", sa.Text, nullable=False),
    sa.Column("content", sa.LargeBinary, nullable=False, comment="the signed bytes, zstd"),
    sa.Column("received_at", sa.String(30), nullable=False),
    sa.Column("receipt", sa.Text),
    sa.Column("receipt_signature", sa.Text),
    sa.Column("province_receipt", sa.Text),
    sa.Column("province_signature", sa.Text),
    sa.Column("unfolded", sa.Boolean, comment="true: left out by a revocation; null: it stands"),
    sa.Index("ix_batch_origin_from_n", "origin", "from_n"),
    sa.Index(
        "ix_batch_unsettled",
        "id",
        sqlite_where=sa.text("province_receipt IS NULL"),
        postgresql_where=sa.text("province_receipt IS NULL"),
    ),
)

brought_answer = sa.Table(
    "brought_answer",
    METADATA,
    sa.Column("id", BigId, primary_key=True),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("signature", sa.Text, nullable=False),
    sa.Column("content", sa.LargeBinary, nullable=False, comment="the signed bytes, zstd"),
    sa.Column("after_batch", sa.BigInteger, nullable=False, comment="the last batch held when it was folded"),
    sa.Column("at", sa.String(30), nullable=False),
)

brought = sa.Table(
    "brought",
    METADATA,
    sa.Column("id", BigId, primary_key=True),
    sa.Column("origin", sa.Integer, sa.ForeignKey("origin.id"), nullable=False),
    sa.Column("n", sa.BigInteger, nullable=False),
    sa.Column("line", sa.LargeBinary, nullable=False),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("by", sa.Text, comment="the person of the header"),
    sa.Column("batch", sa.String(64), nullable=False, comment="SHA-256 of the batch that held it"),
    sa.Column("answer", BigId, sa.ForeignKey("brought_answer.id"), nullable=False),
    sa.Index("ix_brought_origin_n", "origin", "n"),
)

brought_batch = sa.Table(
    "brought_batch",
    METADATA,
    sa.Column("sha256", sa.String(64), primary_key=True),
    sa.Column("origin", sa.Integer, sa.ForeignKey("origin.id"), nullable=False, index=True),
    sa.Column("prev", sa.String(64), comment="the batch before, as its header says"),
    sa.Column("answer", BigId, sa.ForeignKey("brought_answer.id"), nullable=False),
    sa.Column("unfolded", sa.Boolean, comment="as of a batch held here"),
    comment="batches of a revoked device as the province names them, whether or not they ever come here",
)

upstream_position = sa.Table(
    "upstream_position",
    METADATA,
    sa.Column("area", sa.String(64), primary_key=True),
    sa.Column("position", sa.String(64), nullable=False),
)

area = sa.Table(
    "area",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("code", sa.String(64), nullable=False, unique=True),
    sa.Column("seq", sa.BigInteger, nullable=False),
)

departure = sa.Table(
    "departure",
    METADATA,
    sa.Column("area", sa.Integer, sa.ForeignKey("area.id"), primary_key=True),
    sa.Column("seq", sa.BigInteger, primary_key=True),
    sa.Column("id", Id, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("rev", sa.Integer, nullable=False),
    sa.Index("ix_departure_id", "id"),
)

quarantine = sa.Table(
    "quarantine",
    METADATA,
    sa.Column("id", BigId, primary_key=True),
    sa.Column("dev", Id, nullable=False),
    sa.Column("ep", sa.BigInteger),
    sa.Column("n", sa.BigInteger),
    sa.Column("sha256", sa.String(64), nullable=False, comment="of the batch"),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("line", sa.LargeBinary, nullable=False),
    sa.Column("area", sa.Integer, sa.ForeignKey("area.id")),
    sa.Column("at", sa.String(30), nullable=False),
)

waiting = sa.Table(
    "waiting",
    METADATA,
    sa.Column("id", BigId, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("entity", Id, nullable=False),
    sa.Column("dot", sa.Text, nullable=False, comment="the operation that waits"),
    sa.Column("awaited_dev", Id, comment="null: waits for the entity's first writing down"),
    sa.Column("awaited_ep", sa.BigInteger),
    sa.Column("awaited_n", sa.BigInteger),
    sa.Column("at", sa.String(30), nullable=False),
    sa.Index("ix_waiting_entity", "entity"),
    sa.Index("ix_waiting_awaited", "awaited_dev", "awaited_ep", "awaited_n"),
)

fork = sa.Table(
    "fork",
    METADATA,
    sa.Column("dot", sa.Text, primary_key=True),
    sa.Column("dev", Id, nullable=False),
    sa.Column("at", sa.String(30), nullable=False),
)

merging = sa.Table(
    "merging",
    METADATA,
    sa.Column("dot", sa.Text, primary_key=True),
    sa.Column("line", sa.String(64), primary_key=True, comment="two under a forked dot"),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("loser", Id, nullable=False),
    sa.Column("survivor", Id, comment="null: the merge names no other entity and joins nothing"),
    sa.Index("ix_merging_loser", "loser"),
    sa.Index("ix_merging_survivor", "survivor"),
)

unmerged = sa.Table(
    "unmerged",
    METADATA,
    sa.Column("dot", sa.Text, primary_key=True, comment="of a merge, come or not, that an unmerge names"),
)

conflict = sa.Table(
    "conflict",
    METADATA,
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("id", Id, primary_key=True),
    sa.Column("register", sa.Text, primary_key=True),
    sa.Column("area", sa.Integer, sa.ForeignKey("area.id"), nullable=False),
    sa.Column(
        "weight", sa.Integer, nullable=False, comment="1 a person must decide, 0 a later visit may close it"
    ),
    sa.Column("opened_at", sa.String(30), nullable=False),
    sa.Index("ix_conflict_area", "area"),
    sa.Index("ix_conflict_tray", "weight", "opened_at", "id", "register", "kind"),
)

invitation = sa.Table(
    "invitation",
    METADATA,
    sa.Column("code_hash", sa.String(64), primary_key=True),
    sa.Column("agent", Id, nullable=False),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("areas", sa.Text, nullable=False),
    sa.Column("created_at", sa.String(30), nullable=False),
    sa.Column("expires_at", sa.String(30), nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("thumbprint", sa.String(64)),
    sa.Column("answer", sa.Text),
)

admitted = sa.Table(
    "admitted",
    METADATA,
    sa.Column("dev", Id, primary_key=True),
    sa.Column("grant", sa.Text, nullable=False, comment="on which a device unknown here was taken"),
    sa.Column("claims", sa.Text, nullable=False),
)

device_session = sa.Table(
    "device_session",
    METADATA,
    sa.Column("token_hash", sa.String(64), primary_key=True),
    sa.Column("dev", Id, nullable=False),
    sa.Column("expires_at", sa.String(30), nullable=False),
)

used_nonce = sa.Table(
    "used_nonce",
    METADATA,
    sa.Column("nonce", sa.String(128), primary_key=True),
    sa.Column("expires_at", sa.String(30), nullable=False),
)

device_contact = sa.Table(
    "device_contact",
    METADATA,
    sa.Column("dev", Id, primary_key=True),
    sa.Column("last_contact", sa.String(30), nullable=False),
    sa.Column("clock_offset", sa.Float),
    sa.Column("prev_gap", sa.Boolean, nullable=False),
    sa.Column("outside_areas", sa.Integer, nullable=False, server_default="0"),
    sa.Column("other_author", sa.Integer, nullable=False, server_default="0"),
)


def system_columns() -> list[sa.Column[Any]]:
    """The columns every register table ends with. `registers` is null while the row is exactly one operation, then it
    holds the complete set of writes (sync.merge.pack); `extra` keeps unknown fields and doubtful values, and `doubtful`
    names the latter, so that they are found without reading every row. A row that is `void` or `merged_into` another
    keeps its writes and has nothing in its fields: no list or figure sees it."""
    return [
        sa.Column("extra", sa.Text),
        sa.Column("doubtful", sa.Text, comment="known fields in extra, each between spaces"),
        sa.Column("origin", sa.Integer, nullable=False),
        sa.Column("n", sa.BigInteger, nullable=False),
        sa.Column("area", sa.Integer, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("rev", sa.Integer, nullable=False),
        sa.Column("registers", sa.Text),
        sa.Column("void", sa.Boolean, comment="hidden; null = no"),
        sa.Column("merged_into", Id, comment="the id it is shown under; null = its own"),
    ]


def register_table(name: str, *columns: sa.Column[Any] | sa.Index | sa.Constraint) -> sa.Table:
    """A register table: id, the fields under their protocol names, then the system columns and the feed's index."""
    fields = [c for c in columns if isinstance(c, sa.Column)]
    rest = [c for c in columns if not isinstance(c, sa.Column)]
    feed = sa.Index(f"ix_{name}_feed", "area", "seq", "id")
    merged, some = sa.text("merged_into IS NOT NULL"), sa.text("doubtful IS NOT NULL")
    losers = sa.Index(f"ix_{name}_merged_into", "merged_into", sqlite_where=merged, postgresql_where=merged)
    doubtful = sa.Index(f"ix_{name}_doubtful", "area", "id", sqlite_where=some, postgresql_where=some)
    system = (*system_columns(), feed, losers, doubtful)
    return sa.Table(name, METADATA, sa.Column("id", Id, primary_key=True), *fields, *system, *rest)


device = register_table(
    "device",
    sa.Column("name", sa.Text),
    sa.Column("agent", sa.Text),
    sa.Column("role", sa.Text),
    sa.Column("areas", sa.Text),
    sa.Column("key", sa.Text),
    sa.Column("grant", sa.Text),
    sa.Column("expires", sa.Text),
    sa.Column("granted_by", sa.Text),
    sa.Column("revoked", sa.Text),
    sa.Column("revoked_reason", sa.Text),
    sa.Column("release", sa.Text),
    sa.Column("server", sa.Boolean),
    sa.Column("node_cert", sa.Text),
    sa.Column("demo", sa.Boolean),
)

clock_confirmation = register_table(
    "clock_confirmation",
    sa.Column("confirmed_at", sa.Text),
    sa.Column("confirmed_by", sa.Text),
    sa.Column("node", Id),
)

question = register_table(
    "question",
    sa.Column("kind", sa.Text),
    sa.Column("entity", Id, index=True),
    sa.Column("register", sa.Text),
    sa.Column("dots", sa.Text, comment="the values that stood when it was asked, JSON array of dots"),
    sa.Column("text", sa.Text),
    sa.Column("agent", sa.Text),
    sa.Column("device", Id),
    sa.Column("asked_by", sa.Text),
    sa.Column("asked_on", sa.Text),
    sa.Column("commune", sa.Text),
    sa.Column("quartier", sa.Text),
    sa.Column("stage", sa.Text),
)

other = register_table("other", sa.Column("kind", sa.Text, primary_key=True))
