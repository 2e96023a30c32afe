"""Starting, attaching to and ending Ray: what `ray` and `ray+datafusion` share.

    cluster = Cluster(setup, settings)     # `ray.init` has returned: a raylet, a GCS and no dashboard, on 127.0.0.1
    cluster.stop()                         # none of its processes and folders is left

A local cluster's daemons are children of this process and ask the kernel to be killed with it; `watchdog` ends what those leave
behind. So all of it ends even when nobody is left to stop it. A cluster that was attached to is left as it was found.
`task_spans` tells where its slots spent a run, from Ray's task events.
"""

from .cluster import Cluster, casualty, kind_of

__all__ = ["Cluster", "casualty", "kind_of"]
