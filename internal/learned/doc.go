// Package learned keeps what nodes have taught that no cloud tells beforehand: how much room machines of a type really
// have once their kubelet, image and settings have taken their share.
//
// It holds facts alone, never what was planned or tried: that a purchase did not help is
// internal/controller/provision's to remember. Nothing here is written down. After a restart the nodes that are there
// teach the same again.
package learned
