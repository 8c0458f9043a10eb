"""Operations and messages over HTTP: what became of a request, and why."""
