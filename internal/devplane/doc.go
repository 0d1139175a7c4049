// Package devplane gives tests a real Kubernetes control plane.
//
// It finds or builds the playground's binary once per machine, starts a
// control plane from it in about 3 seconds, and takes it down with the test,
// also when the test process is killed. It knows the binary by its command
// line only and never imports it. It installs nothing into the cluster: CRDs
// and objects are the test's business. It is for tests; nothing that ships
// imports it.
//
// A test that needs an API server and nothing that acts on objects:
//
//	func TestValidation(t *testing.T) {
//		plane := devplane.Start(t) // etcd and kube-apiserver
//		c, err := client.New(plane.Config(), client.Options{})
//		...
//	}
//
// A test that needs pods to be scheduled and to run on the Nodes it creates
// with the annotation kwok.x-k8s.io/node=fake:
//
//	plane := devplane.Start(t, devplane.Full())
//
// Many tests of one package that keep out of each other's way (their own
// namespaces and object names) share one control plane:
//
//	func TestMain(m *testing.M) { devplane.Main(m) }
//
//	func TestOne(t *testing.T) {
//		plane := devplane.Shared(t)
//		...
//	}
//
// Environment: DOVETAIL_PLAYGROUND names a binary to use instead of building
// one; DOVETAIL_SKIP_CONTROL_PLANE=1 skips the tests that need a control plane.
package devplane
