# the wait counts from the acquire's request, not from its answer
s/e->last.beat_seen : e->now;/e->last.beat_seen : event->reply.sent;/
