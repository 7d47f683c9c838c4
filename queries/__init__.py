"""Questions: functions named for what is asked, each with the position that its answer reflects."""
