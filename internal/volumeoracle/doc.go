// Package volumeoracle holds what we say of volumes against a real control plane: random storage classes, volumes,
// claims of every binding mode and pods are created for real, and which claims kube-controller-manager binds to which
// volumes, and where kube-scheduler can place the pods, is compared with what a plan of the same manifests says. It has
// tests only. They make the volumes of classes that provision, as a driver would.
package volumeoracle
