{{- /* Made from values.yaml by make generate. */ -}}
{{- define "dovetail.known" -}}
{
  "keys": {
    "": [
      "nameOverride",
      "fullnameOverride",
      "additionalLabels",
      "additionalAnnotations",
      "imagePullPolicy",
      "imagePullSecrets",
      "crds",
      "service",
      "serviceAccount",
      "additionalClusterRoleRules",
      "serviceMonitor",
      "networkPolicy",
      "replicas",
      "revisionHistoryLimit",
      "strategy",
      "podLabels",
      "podAnnotations",
      "podDisruptionBudget",
      "podSecurityContext",
      "priorityClassName",
      "terminationGracePeriodSeconds",
      "hostNetwork",
      "schedulerName",
      "dnsPolicy",
      "dnsConfig",
      "nodeSelector",
      "affinity",
      "topologySpreadConstraints",
      "tolerations",
      "initContainers",
      "extraVolumes",
      "size",
      "journal",
      "web",
      "controller",
      "logLevel",
      "logOutputPaths",
      "logErrorOutputPaths",
      "settings"
    ],
    "aws": [],
    "controller": [
      "containerName",
      "image",
      "env",
      "envFrom",
      "resources",
      "extraVolumeMounts",
      "sidecarContainer",
      "sidecarVolumeMounts",
      "securityContext",
      "metrics",
      "healthProbe"
    ],
    "controller.healthProbe": [
      "port"
    ],
    "controller.image": [
      "repository",
      "tag",
      "digest"
    ],
    "controller.metrics": [
      "port"
    ],
    "crds": [
      "enabled"
    ],
    "journal": [
      "enabled",
      "volume"
    ],
    "logConfig": [],
    "logConfig.logLevel": [],
    "networkPolicy": [
      "enabled",
      "metricsFrom",
      "additionalEgress"
    ],
    "podDisruptionBudget": [
      "name",
      "maxUnavailable",
      "unhealthyPodEvictionPolicy"
    ],
    "postInstallHook": [],
    "postInstallHook.image": [],
    "service": [
      "annotations"
    ],
    "serviceAccount": [
      "create",
      "name",
      "annotations"
    ],
    "serviceMonitor": [
      "enabled",
      "additionalLabels",
      "relabelings",
      "metricRelabelings",
      "endpointConfig",
      "sampleLimit"
    ],
    "settings": [
      "cloud",
      "batchMaxDuration",
      "batchIdleDuration",
      "preferencePolicy",
      "minValuesPolicy",
      "placement",
      "placementHold",
      "clusterCABundle",
      "clusterName",
      "clusterEndpoint",
      "isolatedVPC",
      "eksControlPlane",
      "vmMemoryOverheadPercent",
      "interruptionQueue",
      "rebalanceAction",
      "enableZonalShift",
      "reservedENIs",
      "useOpenReservations",
      "surgeSingleReplicas",
      "ignoreDRARequests",
      "enableDRA",
      "legacyNodeRepair",
      "disableClusterStateObservability",
      "disableDryRun",
      "amiRefreshInterval",
      "subnetRefreshInterval",
      "securityGroupRefreshInterval",
      "featureGates",
      "awsFeatureGates"
    ],
    "settings.aws": [],
    "settings.awsFeatureGates": [
      "nodeClassCEL",
      "draNVIDIAGPU",
      "draEFA",
      "rebootForRepair"
    ],
    "settings.featureGates": [
      "nodeRepair",
      "nodeOverlay",
      "reservedCapacity",
      "spotToSpotConsolidation",
      "staticCapacity",
      "capacityBuffer",
      "terminateFirstDrift",
      "terminateFirstRepair",
      "podDeletionCostManagement"
    ],
    "web": [
      "enabled",
      "port",
      "from"
    ],
    "webhook": [],
    "webhook.metrics": []
  },
  "removed": {
    "aws.defaultInstanceProfile": {
      "refusal": "aws.defaultInstanceProfile is no longer a value; set spec.instanceProfile or spec.role in each EC2NodeClass",
      "harmless": []
    },
    "clusterEndpoint": {
      "refusal": "clusterEndpoint is called settings.clusterEndpoint now",
      "harmless": []
    },
    "clusterName": {
      "refusal": "clusterName is called settings.clusterName now",
      "harmless": []
    },
    "controller.batchIdleDuration": {
      "refusal": "controller.batchIdleDuration is called settings.batchIdleDuration now",
      "harmless": []
    },
    "controller.batchMaxDuration": {
      "refusal": "controller.batchMaxDuration is called settings.batchMaxDuration now",
      "harmless": []
    },
    "controller.errorOutputPaths": {
      "refusal": "controller.errorOutputPaths is called logErrorOutputPaths now",
      "harmless": []
    },
    "controller.logEncoding": {
      "refusal": "controller.logEncoding is no longer a value; logs are JSON: remove it",
      "harmless": [
        "json"
      ]
    },
    "controller.logLevel": {
      "refusal": "controller.logLevel is called logLevel now",
      "harmless": []
    },
    "controller.outputPaths": {
      "refusal": "controller.outputPaths is called logOutputPaths now",
      "harmless": []
    },
    "logConfig.enabled": {
      "refusal": "logConfig.enabled is no longer a value; there is no ConfigMap of logging: remove it",
      "harmless": [
        "*"
      ]
    },
    "logConfig.errorOutputPaths": {
      "refusal": "logConfig.errorOutputPaths is called logErrorOutputPaths now",
      "harmless": [
        "[\"stderr\"]"
      ]
    },
    "logConfig.logEncoding": {
      "refusal": "logConfig.logEncoding is no longer a value; logs are JSON: remove it",
      "harmless": [
        "json"
      ]
    },
    "logConfig.logLevel.controller": {
      "refusal": "logConfig.logLevel.controller is called logLevel now",
      "harmless": [
        "info"
      ]
    },
    "logConfig.logLevel.global": {
      "refusal": "logConfig.logLevel.global is called logLevel now",
      "harmless": [
        "info"
      ]
    },
    "logConfig.logLevel.webhook": {
      "refusal": "logConfig.logLevel.webhook is no longer a value; the webhooks are gone: remove it",
      "harmless": [
        "*"
      ]
    },
    "logConfig.outputPaths": {
      "refusal": "logConfig.outputPaths is called logOutputPaths now",
      "harmless": [
        "[\"stdout\"]"
      ]
    },
    "logEncoding": {
      "refusal": "logEncoding is no longer a value; logs are JSON: remove it",
      "harmless": [
        "json"
      ]
    },
    "postInstallHook.image.digest": {
      "refusal": "postInstallHook.image.digest is no longer a value; the webhooks are gone: remove it",
      "harmless": [
        "*"
      ]
    },
    "postInstallHook.image.repository": {
      "refusal": "postInstallHook.image.repository is no longer a value; the webhooks are gone: remove it",
      "harmless": [
        "*"
      ]
    },
    "postInstallHook.image.tag": {
      "refusal": "postInstallHook.image.tag is no longer a value; the webhooks are gone: remove it",
      "harmless": [
        "*"
      ]
    },
    "resources": {
      "refusal": "resources is called controller.resources now",
      "harmless": []
    },
    "settings.assumeRoleARN": {
      "refusal": "settings.assumeRoleARN is no longer a value; give the role by EKS Pod Identity (a target role), or by an AWS config file in controller.extraVolumeMounts",
      "harmless": []
    },
    "settings.assumeRoleDuration": {
      "refusal": "settings.assumeRoleDuration is no longer a value; give the role by EKS Pod Identity (a target role), or by an AWS config file in controller.extraVolumeMounts",
      "harmless": [
        "15m"
      ]
    },
    "settings.aws.assumeRoleARN": {
      "refusal": "settings.aws.assumeRoleARN is no longer a value; give the role by EKS Pod Identity (a target role), or by an AWS config file in controller.extraVolumeMounts",
      "harmless": []
    },
    "settings.aws.assumeRoleDuration": {
      "refusal": "settings.aws.assumeRoleDuration is no longer a value; give the role by EKS Pod Identity (a target role), or by an AWS config file in controller.extraVolumeMounts",
      "harmless": [
        "15m"
      ]
    },
    "settings.aws.clusterCABundle": {
      "refusal": "settings.aws.clusterCABundle is called settings.clusterCABundle now",
      "harmless": []
    },
    "settings.aws.clusterEndpoint": {
      "refusal": "settings.aws.clusterEndpoint is called settings.clusterEndpoint now",
      "harmless": []
    },
    "settings.aws.clusterName": {
      "refusal": "settings.aws.clusterName is called settings.clusterName now",
      "harmless": []
    },
    "settings.aws.defaultInstanceProfile": {
      "refusal": "settings.aws.defaultInstanceProfile is no longer a value; set spec.instanceProfile or spec.role in each EC2NodeClass",
      "harmless": []
    },
    "settings.aws.enableENILimitedPodDensity": {
      "refusal": "settings.aws.enableENILimitedPodDensity is no longer a value; set spec.kubelet.maxPods in the EC2NodeClass",
      "harmless": [
        "true"
      ]
    },
    "settings.aws.enablePodENI": {
      "refusal": "settings.aws.enablePodENI is no longer a value; instance types that have pod ENIs always say so: remove it",
      "harmless": [
        "true",
        "false"
      ]
    },
    "settings.aws.interruptionQueue": {
      "refusal": "settings.aws.interruptionQueue is called settings.interruptionQueue now",
      "harmless": []
    },
    "settings.aws.interruptionQueueName": {
      "refusal": "settings.aws.interruptionQueueName is called settings.interruptionQueue now",
      "harmless": []
    },
    "settings.aws.isolatedVPC": {
      "refusal": "settings.aws.isolatedVPC is called settings.isolatedVPC now",
      "harmless": []
    },
    "settings.aws.nodeNameConvention": {
      "refusal": "settings.aws.nodeNameConvention is no longer a value; nodes have the names that EC2 gives them: remove it",
      "harmless": [
        "ip-name"
      ]
    },
    "settings.aws.reservedENIs": {
      "refusal": "settings.aws.reservedENIs is called settings.reservedENIs now",
      "harmless": []
    },
    "settings.aws.tags": {
      "refusal": "settings.aws.tags is no longer a value; set spec.tags in each EC2NodeClass",
      "harmless": []
    },
    "settings.aws.vmMemoryOverheadPercent": {
      "refusal": "settings.aws.vmMemoryOverheadPercent is called settings.vmMemoryOverheadPercent now",
      "harmless": []
    },
    "settings.featureGates.drift": {
      "refusal": "settings.featureGates.drift is no longer a value; drift is always looked for: to hold it back, give each NodePool a budget {nodes: \"0\", reasons: [Drifted]}",
      "harmless": [
        "true"
      ]
    },
    "settings.featureGates.driftEnabled": {
      "refusal": "settings.featureGates.driftEnabled is no longer a value; drift is always looked for: to hold it back, give each NodePool a budget {nodes: \"0\", reasons: [Drifted]}",
      "harmless": [
        "true"
      ]
    },
    "settings.interruptionQueueName": {
      "refusal": "settings.interruptionQueueName is called settings.interruptionQueue now",
      "harmless": []
    },
    "webhook.enabled": {
      "refusal": "webhook.enabled is no longer a value; the webhooks are gone: remove it",
      "harmless": [
        "false"
      ]
    },
    "webhook.logLevel": {
      "refusal": "webhook.logLevel is no longer a value; the webhooks are gone: remove it",
      "harmless": [
        "*"
      ]
    },
    "webhook.metrics.port": {
      "refusal": "webhook.metrics.port is no longer a value; the webhooks are gone: remove it",
      "harmless": [
        "*"
      ]
    },
    "webhook.port": {
      "refusal": "webhook.port is no longer a value; the webhooks are gone: remove it",
      "harmless": [
        "*"
      ]
    },
    "webhook.serviceName": {
      "refusal": "webhook.serviceName is no longer a value; the webhooks are gone: remove it",
      "harmless": [
        "*"
      ]
    },
    "webhook.serviceNamespace": {
      "refusal": "webhook.serviceNamespace is no longer a value; the webhooks are gone: remove it",
      "harmless": [
        "*"
      ]
    }
  }
}
{{- end -}}
