"""Acts of civil status: declaration of births, registration, reprise of paper acts. The law itself is in app.law."""
