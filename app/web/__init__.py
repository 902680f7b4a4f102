"""The edge of the server: bounded request bodies and problems as HTTP answers. Knows no act and no person."""
