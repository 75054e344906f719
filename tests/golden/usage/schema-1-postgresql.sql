CREATE INDEX usage_damaged_by_digest ON usage_damaged (digest);

CREATE INDEX usage_records_by_ended ON usage_records (ended);

CREATE INDEX usage_records_by_job_id ON usage_records (job_id);

CREATE TABLE usage_damaged (
  source TEXT NOT NULL,
  position BIGINT NOT NULL,
  digest TEXT NOT NULL,
  line BIGINT NOT NULL,
  why TEXT NOT NULL,
  sample TEXT NOT NULL,
  PRIMARY KEY (source, position, digest)
);

CREATE TABLE usage_meta (
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (name)
);

CREATE TABLE usage_records (
  id BIGINT NOT NULL,
  record_id TEXT NOT NULL,
  version BIGINT NOT NULL,
  job_id BIGINT NOT NULL,
  restarts BIGINT,
  uid BIGINT,
  user_name TEXT,
  account TEXT,
  partition TEXT,
  cluster TEXT,
  node TEXT,
  started DOUBLE PRECISION,
  ended DOUBLE PRECISION,
  duration_s DOUBLE PRECISION,
  exit_code BIGINT,
  signal BIGINT,
  exit_unknown_why TEXT,
  complete BOOLEAN,
  leftovers BIGINT,
  device_check TEXT,
  PRIMARY KEY (id)
);

CREATE TABLE usage_slices (
  record BIGINT NOT NULL,
  position BIGINT NOT NULL,
  gpu_uuid TEXT,
  gpu_minor BIGINT,
  gpu_name TEXT,
  type TEXT,
  gres_index BIGINT,
  gi_id BIGINT,
  ci_id BIGINT,
  profile TEXT,
  placement_start BIGINT,
  placement_size BIGINT,
  mig_uuid TEXT,
  memory_mib BIGINT,
  sm_count BIGINT,
  boot_id TEXT,
  generation BIGINT,
  repartitioned BOOLEAN,
  period_s DOUBLE PRECISION,
  samples BIGINT,
  sampled_s DOUBLE PRECISION,
  coverage DOUBLE PRECISION,
  gaps BIGINT,
  gap_s DOUBLE PRECISION,
  memory_method TEXT,
  memory_min_mib DOUBLE PRECISION,
  memory_mean_mib DOUBLE PRECISION,
  memory_peak_mib DOUBLE PRECISION,
  processes_mean DOUBLE PRECISION,
  processes_peak BIGINT,
  activity_shared_gi BOOLEAN,
  activity_sampled_s DOUBLE PRECISION,
  graphics_mean DOUBLE PRECISION,
  graphics_max DOUBLE PRECISION,
  sm_mean DOUBLE PRECISION,
  sm_max DOUBLE PRECISION,
  occupancy_mean DOUBLE PRECISION,
  occupancy_max DOUBLE PRECISION,
  tensor_mean DOUBLE PRECISION,
  tensor_max DOUBLE PRECISION,
  fp64_mean DOUBLE PRECISION,
  fp64_max DOUBLE PRECISION,
  fp32_mean DOUBLE PRECISION,
  fp32_max DOUBLE PRECISION,
  fp16_mean DOUBLE PRECISION,
  fp16_max DOUBLE PRECISION,
  dram_bandwidth_mean DOUBLE PRECISION,
  dram_bandwidth_max DOUBLE PRECISION,
  energy_joules DOUBLE PRECISION,
  energy_share DOUBLE PRECISION,
  xids BIGINT,
  ecc_sram_uncorrected BIGINT,
  PRIMARY KEY (record, position),
  FOREIGN KEY(record) REFERENCES usage_records (id)
);

CREATE TABLE usage_sources (
  source TEXT NOT NULL,
  position BIGINT NOT NULL,
  lines BIGINT NOT NULL,
  unkept BIGINT NOT NULL,
  digest TEXT NOT NULL,
  PRIMARY KEY (source)
);

CREATE TABLE usage_texts (
  record BIGINT NOT NULL,
  json TEXT NOT NULL,
  PRIMARY KEY (record),
  FOREIGN KEY(record) REFERENCES usage_records (id)
);

CREATE UNIQUE INDEX usage_records_by_record_id ON usage_records (record_id);
