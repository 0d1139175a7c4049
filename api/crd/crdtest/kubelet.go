package crdtest

// kubeletCases are about what the server keeps: the controller judges what a class sets of the kubelet's configuration.
func kubeletCases() []Case {
	kept := func(name, value string) Case {
		const at = "spec.kubelet"
		return Case{Name: "kubelet " + name, Create: at + " = {" + value + "}", Becomes: at + " = {" + value + "}"}
	}
	return of("EC2NodeClass", []Case{
		kept(
			"with everything of 1.14",
			`clusterDNS: [10.0.0.10], maxPods: 110, podsPerCore: 10, systemReserved: {cpu: 100m, pid: "100"}, kubeReserved: {memory: 1Gi, ephemeral-storage: 1Gi}, evictionHard: {memory.available: 5%, pid.available: "100"}, evictionSoft: {nodefs.available: 10.5%, nodefs.inodesFree: 100%}, evictionSoftGracePeriod: {nodefs.available: 1m, nodefs.inodesFree: 1m30s}, evictionMaxPodGracePeriod: 60, imageGCHighThresholdPercent: 85, imageGCLowThresholdPercent: 80, cpuCFSQuota: false`,
		),
		kept("with an expression", `maxPods: "min(110, vcpus * 20)", kubeReserved: {memory: "11 * max_pods + 255"}`),
		kept("with a field that nobody here knows", `someFieldOfLater: {deep: [{er: 1.5}, null, true]}`),
		kept(
			"with a tree",
			`memorySwap: {swapBehavior: LimitedSwap}, reservedMemory: [{numaNode: 0, limits: {memory: 1Gi}}]`,
		),
		kept(
			"that no kubelet would take",
			`maxPods: -1, evictionSoft: {memory.available: often}, kubeReserved: {gpu: "1"}`,
		),
		{
			Name:   "kubelet that is no object",
			Create: "spec.kubelet = [1]",
			At:     "spec.kubelet",
			Says:   "must be of type object",
		},
	})
}
