# etcd-model.c: a beat without space changes nothing that a follower sees
s/} else if (st->beat\[rq->node\].mod != 0) {/} else if (st->beat[rq->node].mod < 0) {/
