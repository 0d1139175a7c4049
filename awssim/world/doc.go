// Package world is the state of the simulated AWS account in one region:
// network, images, launch templates, instances, fleets, instance profiles,
// prices and capacity, moved by a clock.
//
// World guards a State: every look and every change is a function given to
// Do, which first brings the state up to the clock's time. Chance comes from
// one seed. What must happen outside (a machine boots, a node disappears, a
// message is sent) is an Effect, handed to whoever runs the world, never done
// under its lock. Refusals are apierror.Error with AWS's codes. The package
// knows no protocol, no Kubernetes and no HTTP.
package world
