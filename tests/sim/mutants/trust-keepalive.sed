# a keep-alive is taken for a proof
/} else if (event->reply.ttl > 0) {/a\
		if (e->role == ELECTION_LEADING) {\
			struct election_action *trusted = election_act(e, ELECTION_EXTEND);\
			e->proved = trusted->proved = event->reply.sent;\
			trusted->token = e->token;\
		}
