# etcd-model.c: the seizure's transaction compares the key only
s/ || mod != rq->action.beat_mod)/ || mod == -1)/
