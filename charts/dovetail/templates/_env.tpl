{{- /* The controller's settings, one variable for each flag. */ -}}
{{- define "dovetail.env" -}}
{{- $s := .Values.settings -}}
- name: SYSTEM_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
- name: CPU_REQUESTS
  valueFrom:
    resourceFieldRef:
      containerName: {{ .Values.controller.containerName }}
      divisor: 1m
      resource: requests.cpu
- name: MEMORY_LIMIT
  valueFrom:
    resourceFieldRef:
      containerName: {{ .Values.controller.containerName }}
      divisor: "0"
      resource: limits.memory
- name: KARPENTER_SERVICE
  value: {{ include "dovetail.fullname" . | quote }}
- name: LOG_LEVEL
  value: {{ .Values.logLevel | quote }}
- name: LOG_OUTPUT_PATHS
  value: {{ join "," .Values.logOutputPaths | quote }}
- name: LOG_ERROR_OUTPUT_PATHS
  value: {{ join "," .Values.logErrorOutputPaths | quote }}
- name: METRICS_PORT
  value: {{ .Values.controller.metrics.port | quote }}
- name: HEALTH_PROBE_PORT
  value: {{ .Values.controller.healthProbe.port | quote }}
- name: CLOUD
  value: {{ $s.cloud | quote }}
{{- if eq $s.cloud "aws" }}
- name: CLUSTER_NAME
  value: {{ required "settings.clusterName is required: the name of the EKS cluster (charts before Karpenter 0.33 had it as settings.aws.clusterName)" $s.clusterName | quote }}
{{- end }}
{{- range $variable, $value := dict
  "CLUSTER_CA_BUNDLE" $s.clusterCABundle "CLUSTER_ENDPOINT" $s.clusterEndpoint "INTERRUPTION_QUEUE" $s.interruptionQueue
  "BATCH_MAX_DURATION" $s.batchMaxDuration "BATCH_IDLE_DURATION" $s.batchIdleDuration
  "PREFERENCE_POLICY" $s.preferencePolicy "MIN_VALUES_POLICY" $s.minValuesPolicy
  "ISOLATED_VPC" $s.isolatedVPC "EKS_CONTROL_PLANE" $s.eksControlPlane "VM_MEMORY_OVERHEAD_PERCENT" $s.vmMemoryOverheadPercent
  "REBALANCE_ACTION" $s.rebalanceAction "ENABLE_ZONAL_SHIFT" $s.enableZonalShift "RESERVED_ENIS" $s.reservedENIs
  "IGNORE_DRA_REQUESTS" $s.ignoreDRARequests "DISABLE_CLUSTER_STATE_OBSERVABILITY" $s.disableClusterStateObservability
  "DISABLE_DRY_RUN" $s.disableDryRun "AMI_REFRESH_INTERVAL" $s.amiRefreshInterval "SUBNET_REFRESH_INTERVAL" $s.subnetRefreshInterval }}
{{- if ne (toString $value) "" }}
- name: {{ $variable }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}
{{- $g := default (dict) $s.featureGates }}
{{- $gates := list }}
{{- range $gate, $on := dict "NodeRepair" $g.nodeRepair "NodeOverlay" $g.nodeOverlay "ReservedCapacity" $g.reservedCapacity
  "SpotToSpotConsolidation" $g.spotToSpotConsolidation "StaticCapacity" $g.staticCapacity "CapacityBuffer" $g.capacityBuffer }}
{{- if not (kindIs "invalid" $on) }}
{{- $gates = append $gates (printf "%s=%v" $gate $on) }}
{{- end }}
{{- end }}
- name: FEATURE_GATES
  value: {{ join "," $gates | quote }}
{{- with .Values.controller.env }}
{{ toYaml . }}
{{- end }}
{{- end -}}
