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
  id INTEGER NOT NULL,
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
  started DOUBLE,
  ended DOUBLE,
  duration_s DOUBLE,
  exit_code BIGINT,
  signal BIGINT,
  exit_unknown_why TEXT,
  complete BOOLEAN,
  leftovers BIGINT,
  device_check TEXT,
  PRIMARY KEY (id)
);

CREATE TABLE usage_slices (
  record INTEGER NOT NULL,
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
  period_s DOUBLE,
  samples BIGINT,
  sampled_s DOUBLE,
  coverage DOUBLE,
  gaps BIGINT,
  gap_s DOUBLE,
  memory_method TEXT,
  memory_min_mib DOUBLE,
  memory_mean_mib DOUBLE,
  memory_peak_mib DOUBLE,
  processes_mean DOUBLE,
  processes_peak BIGINT,
  activity_shared_gi BOOLEAN,
  activity_sampled_s DOUBLE,
  graphics_mean DOUBLE,
  graphics_max DOUBLE,
  sm_mean DOUBLE,
  sm_max DOUBLE,
  occupancy_mean DOUBLE,
  occupancy_max DOUBLE,
  tensor_mean DOUBLE,
  tensor_max DOUBLE,
  fp64_mean DOUBLE,
  fp64_max DOUBLE,
  fp32_mean DOUBLE,
  fp32_max DOUBLE,
  fp16_mean DOUBLE,
  fp16_max DOUBLE,
  dram_bandwidth_mean DOUBLE,
  dram_bandwidth_max DOUBLE,
  energy_joules DOUBLE,
  energy_share DOUBLE,
  xids BIGINT,
  ecc_sram_uncorrected BIGINT,
  PRIMARY KEY (record, position),
  FOREIGN KEY(record) REFERENCES usage_records (id)
)
 WITHOUT ROWID;

CREATE TABLE usage_sources (
  source TEXT NOT NULL,
  position BIGINT NOT NULL,
  lines BIGINT NOT NULL,
  unkept BIGINT NOT NULL,
  digest TEXT NOT NULL,
  PRIMARY KEY (source)
);

CREATE TABLE usage_texts (
  record INTEGER NOT NULL,
  json TEXT NOT NULL,
  PRIMARY KEY (record),
  FOREIGN KEY(record) REFERENCES usage_records (id)
);

CREATE UNIQUE INDEX usage_records_by_record_id ON usage_records (record_id);
