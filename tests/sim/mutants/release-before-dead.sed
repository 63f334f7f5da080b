# the key is given away when work is told to stop
/case ELECTION_STOPPING:/,/break;/s/beat_advance(e);/enter_releasing(e, e->token);/
