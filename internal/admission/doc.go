// Package admission does to pods what an API server does before it keeps them: requests follow from limits, LimitRanges
// give defaults and set bounds, RuntimeClasses add overhead, node selectors and tolerations, PriorityClasses give the
// priority, and every pod tolerates a node that stops answering for five minutes.
//
// It is a function of objects. What a server refuses is an error that names the field and the object by which it does.
// Plugins that are off by default (PodNodeSelector, PodTolerationRestriction, ExtendedResourceToleration), webhooks,
// quotas and pod security are not looked at.
package admission
