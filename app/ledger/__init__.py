"""The one door in: signed operations become register rows, feed numbers, rollups and a receipt in one transaction.

Knows no birth and no household: packages hand it projections (kind -> table) and countings (row -> rollup cells).
"""
