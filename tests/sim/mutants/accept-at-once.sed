# what an operator accepts is believed while work of the old history may live
s|return n->sim->profile.fence_after .*;|return n->sim->now \& 0;|
