# the deadline counts from the answer, not from the request
s/e->proved = event->reply.sent;/e->proved = e->now;/
