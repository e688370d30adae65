"""Beijing time, whatever zone the server or its database thinks in. China has had no summer time since 1991."""

from datetime import timedelta, timezone

BEIJING = timezone(timedelta(hours=8), "Beijing")
