# the key is given away when work is told to stop
/case ELECTION_STOPPING:/,/break;/s/election_beat_advance(e);/election_enter_releasing(e, e->token);/
