// Package boot is what happens on a machine between power and Ready: its user
// data is read as its operating system would read it, and the kubelet that
// comes of it says what Node it registers.
//
// It is strict where a real machine would fail to join (another cluster's
// name, endpoint or certificate; a label the kubelet may not set) and knows
// only forms that EKS images understand: bootstrap.sh calls, nodeadm's
// NodeConfig, Bottlerocket's TOML and Start-EKSBootstrap.ps1. It makes no
// calls: the Node it returns is the caller's to register.
package boot
