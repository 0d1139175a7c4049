// Package devices makes pods' claims for dynamic resources (resource.k8s.io) something that the planner can plan.
//
// The planner knows no devices: it counts. [World.Shape] therefore gives each class of pods that claims devices amounts
// of made-up resources, and each node and instance type as much of them as it has devices left: what requests select is
// counted once for each set of devices that some request selects, so that a request for a few of them also takes from
// all wider sets. Where counting does not tell the whole truth (constraints, all devices, lists of alternatives, shared
// capacity, partitions) a class gets one more resource, of which each node has as much as the allocator says pods of
// that class alone would fit.
//
// [World.Plan] then has kube-scheduler's own allocator (k8s.io/dynamic-resource-allocation/structured) go through each
// node of a plan, pod after pod. What the allocator refuses is forbidden on that node or type and planned again, a
// few times at most; what is refused even then waits for the next plan.
//
// The package is a function of objects: it fetches nothing, writes nothing and has no clock.
package devices
