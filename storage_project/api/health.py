"""Whether this process can serve: what load balancers and supervisors ask."""

from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse


def show_health(request: HttpRequest) -> JsonResponse:
    """200 when the database answers, 503 when it does not."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return JsonResponse({"status": "no database"}, status=503)
    return JsonResponse({"status": "ok"})
