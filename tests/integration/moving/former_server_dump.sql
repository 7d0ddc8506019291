/*M!999999\- enable the sandbox mode */ 
-- MariaDB dump 10.19  Distrib 10.11.19-MariaDB, for debian-linux-gnu (x86_64)
--
-- Host: 127.0.0.1    Database: sms
-- ------------------------------------------------------
-- Server version	10.11.19-MariaDB-0+deb12u1

/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;
/*!40101 SET @OLD_CHARACTER_SET_RESULTS=@@CHARACTER_SET_RESULTS */;
/*!40101 SET @OLD_COLLATION_CONNECTION=@@COLLATION_CONNECTION */;
/*!40101 SET NAMES utf8mb4 */;
/*!40103 SET @OLD_TIME_ZONE=@@TIME_ZONE */;
/*!40103 SET TIME_ZONE='+00:00' */;
/*!40014 SET @OLD_UNIQUE_CHECKS=@@UNIQUE_CHECKS, UNIQUE_CHECKS=0 */;
/*!40014 SET @OLD_FOREIGN_KEY_CHECKS=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0 */;
/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;
/*!40111 SET @OLD_SQL_NOTES=@@SQL_NOTES, SQL_NOTES=0 */;

--
-- Table structure for table `device_settings`
--

DROP TABLE IF EXISTS `device_settings`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `device_settings` (
  `user_id` varchar(32) NOT NULL,
  `settings` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL CHECK (json_valid(`settings`)),
  PRIMARY KEY (`user_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
/*!40101 SET character_set_client = @saved_cs_client */;

--
-- Dumping data for table `device_settings`
--

LOCK TABLES `device_settings` WRITE;
/*!40000 ALTER TABLE `device_settings` DISABLE KEYS */;
INSERT INTO `device_settings` VALUES
('ABCDEF','{\"messages\": {\"limit_period\": \"PerDay\", \"limit_value\": 100}, \"webhooks\": {\"signing_key\": \"old-key\", \"retry_count\": 5},\n   \"encryption\": {\"passphrase\": \"stays on the phone\"}}');
/*!40000 ALTER TABLE `device_settings` ENABLE KEYS */;
UNLOCK TABLES;

--
-- Table structure for table `devices`
--

DROP TABLE IF EXISTS `devices`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `devices` (
  `id` char(21) NOT NULL,
  `name` varchar(128) DEFAULT NULL,
  `auth_token` char(21) NOT NULL,
  `push_token` varchar(256) DEFAULT NULL,
  `user_id` varchar(32) NOT NULL,
  `created_at` datetime(3) NOT NULL,
  `updated_at` datetime(3) NOT NULL,
  `deleted_at` datetime(3) DEFAULT NULL,
  `last_seen` datetime(3) NOT NULL,
  `sim_cards` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL CHECK (json_valid(`sim_cards`)),
  PRIMARY KEY (`id`),
  UNIQUE KEY `auth_token` (`auth_token`),
  KEY `user_id` (`user_id`),
  CONSTRAINT `devices_ibfk_1` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
/*!40101 SET character_set_client = @saved_cs_client */;

--
-- Dumping data for table `devices`
--

LOCK TABLES `devices` WRITE;
/*!40000 ALTER TABLE `devices` DISABLE KEYS */;
INSERT INTO `devices` VALUES
('deleteddeleteddelete3','Old/phone','tokentokentokentoken3',NULL,'ABCDEF','2026-01-02 01:00:00.000','2026-01-02 01:00:00.000','2026-02-02 00:00:00.000','2026-01-03 00:00:00.000','[]'),
('PyDmBQZZXYmyxMwED8Fzy','Google/oriole','tokentokentokentoken1',NULL,'ABCDEF','2026-01-01 01:00:00.123','2026-01-01 01:00:00.123',NULL,'2026-03-01 10:00:00.500','[{\"slotIndex\":0,\"simNumber\":1,\"phoneNumber\":\"********4567\",\"carrierName\":\"Télé\",\"iccid\":\"****************0001\"},{\"slotIndex\":1,\"simNumber\":2}]'),
('_secondsecondsecond_2','Samsung/a52','tokentokentokentoken2','fcm','SECOND','2026-01-02 01:00:00.000','2026-01-02 01:00:00.000',NULL,'2026-03-01 10:00:00.000','[]');
/*!40000 ALTER TABLE `devices` ENABLE KEYS */;
UNLOCK TABLES;

--
-- Table structure for table `message_recipients`
--

DROP TABLE IF EXISTS `message_recipients`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `message_recipients` (
  `id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `message_id` bigint(20) unsigned NOT NULL,
  `phone_number` varchar(128) NOT NULL,
  `state` varchar(16) NOT NULL,
  `error` varchar(256) DEFAULT NULL,
  PRIMARY KEY (`id`),
  KEY `message_id` (`message_id`),
  CONSTRAINT `message_recipients_ibfk_1` FOREIGN KEY (`message_id`) REFERENCES `messages` (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=9 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
/*!40101 SET character_set_client = @saved_cs_client */;

--
-- Dumping data for table `message_recipients`
--

LOCK TABLES `message_recipients` WRITE;
/*!40000 ALTER TABLE `message_recipients` DISABLE KEYS */;
INSERT INTO `message_recipients` VALUES
(1,1,'+491701234567','Delivered',NULL),
(2,2,'+491701234567','Delivered',NULL),
(3,2,'+491701234568','Failed','RESULT_ERROR_NO_SERVICE: it\'s off'),
(4,3,'0123456789abcdef','Failed','GENERIC_FAILURE'),
(5,4,'+491701234567','Processed',NULL),
(6,5,'+491701234567','Pending',NULL),
(7,6,'$aes-256-cbc/pbkdf2-sha1$i=75000$c2FsdA==$bnVtYmVy','Cancelled',NULL),
(8,7,'+491701234567','Sent',NULL);
/*!40000 ALTER TABLE `message_recipients` ENABLE KEYS */;
UNLOCK TABLES;

--
-- Table structure for table `message_states`
--

DROP TABLE IF EXISTS `message_states`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `message_states` (
  `id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `message_id` bigint(20) unsigned NOT NULL,
  `state` varchar(16) NOT NULL,
  `updated_at` datetime(3) NOT NULL,
  PRIMARY KEY (`id`),
  KEY `message_id` (`message_id`),
  CONSTRAINT `message_states_ibfk_1` FOREIGN KEY (`message_id`) REFERENCES `messages` (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=7 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
/*!40101 SET character_set_client = @saved_cs_client */;

--
-- Dumping data for table `message_states`
--

LOCK TABLES `message_states` WRITE;
/*!40000 ALTER TABLE `message_states` DISABLE KEYS */;
INSERT INTO `message_states` VALUES
(1,1,'Pending','2026-02-01 10:00:00.250'),
(2,1,'Processed','2026-02-01 10:00:01.000'),
(3,1,'Sent','2026-02-01 10:00:02.000'),
(4,1,'Delivered','2026-02-01 10:00:03.000'),
(5,3,'Failed','2026-02-01 12:00:05.000'),
(6,6,'Cancelled','2026-02-01 15:00:05.000');
/*!40000 ALTER TABLE `message_states` ENABLE KEYS */;
UNLOCK TABLES;

--
-- Table structure for table `messages`
--

DROP TABLE IF EXISTS `messages`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `messages` (
  `id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `device_id` char(21) NOT NULL,
  `ext_id` varchar(36) NOT NULL,
  `state` varchar(16) NOT NULL,
  `valid_until` datetime(3) DEFAULT NULL,
  `sim_number` tinyint(3) unsigned DEFAULT NULL,
  `with_delivery_report` tinyint(4) NOT NULL,
  `is_hashed` tinyint(4) NOT NULL,
  `is_encrypted` tinyint(4) NOT NULL,
  `priority` tinyint(4) NOT NULL,
  `type` varchar(8) NOT NULL,
  `content` text NOT NULL,
  `schedule_at` datetime DEFAULT NULL,
  `created_at` datetime(3) NOT NULL,
  `deleted_at` datetime(3) DEFAULT NULL,
  PRIMARY KEY (`id`),
  KEY `device_id` (`device_id`),
  CONSTRAINT `messages_ibfk_1` FOREIGN KEY (`device_id`) REFERENCES `devices` (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=8 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
/*!40101 SET character_set_client = @saved_cs_client */;

--
-- Dumping data for table `messages`
--

LOCK TABLES `messages` WRITE;
/*!40000 ALTER TABLE `messages` DISABLE KEYS */;
INSERT INTO `messages` VALUES
(1,'PyDmBQZZXYmyxMwED8Fzy','delivered-1','Delivered',NULL,1,1,0,0,0,'Text','{\"text\": \"It\'s \\\"quoted\\\",\\nwith (brackets), a \\\\ and ✓\"}',NULL,'2026-02-01 10:00:00.250',NULL),
(2,'PyDmBQZZXYmyxMwED8Fzy','two-2','Sent',NULL,NULL,0,0,0,100,'Text','{\"text\": \"for two\"}',NULL,'2026-02-01 11:00:00.000',NULL),
(3,'PyDmBQZZXYmyxMwED8Fzy','hashed-3','Failed',NULL,NULL,1,1,0,0,'Text','2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824',NULL,'2026-02-01 12:00:00.000',NULL),
(4,'_secondsecondsecond_2','data-4','Processed',NULL,NULL,1,0,0,0,'Data','{\"data\": \"AP8=\", \"port\": 53739}',NULL,'2026-02-01 13:00:00.000',NULL),
(5,'_secondsecondsecond_2','pending-5','Pending',NULL,2,1,0,0,0,'Text','{\"text\": \"still here\"}',NULL,'2026-02-01 14:00:00.000',NULL),
(6,'_secondsecondsecond_2','sealed-6','Cancelled',NULL,NULL,1,0,1,0,'Text','{\"text\": \"$aes-256-cbc/pbkdf2-sha1$i=75000$c2FsdA==$dGV4dA==\"}',NULL,'2026-02-01 15:00:00.000',NULL),
(7,'deleteddeleteddelete3','lost-7','Sent',NULL,NULL,1,0,0,0,'Text','{\"text\": \"x\"}',NULL,'2026-01-02 16:00:00.000',NULL);
/*!40000 ALTER TABLE `messages` ENABLE KEYS */;
UNLOCK TABLES;

--
-- Table structure for table `users`
--

DROP TABLE IF EXISTS `users`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `users` (
  `id` varchar(32) NOT NULL,
  `password_hash` varchar(72) NOT NULL,
  `created_at` datetime(3) NOT NULL,
  `updated_at` datetime(3) NOT NULL,
  `deleted_at` datetime(3) DEFAULT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
/*!40101 SET character_set_client = @saved_cs_client */;

--
-- Dumping data for table `users`
--

LOCK TABLES `users` WRITE;
/*!40000 ALTER TABLE `users` DISABLE KEYS */;
INSERT INTO `users` VALUES
('ABCDEF','$2b$04$HX3F.t3zI0pwpAG3XzB2p.SzHg7FSquI15QZ2FMLLn3G7fwzP92fa','2026-01-01 00:00:00.000','2026-01-01 00:00:00.000',NULL),
('GONE','$2b$04$99MVzlBsXbo1orYDtDpGreJTtpuiPmGEjJVVwwYNTdO3i73QTumqi','2026-01-02 00:00:00.000','2026-01-02 00:00:00.000','2026-02-01 00:00:00.000'),
('ODD','md5:abc','2026-01-02 00:00:00.000','2026-01-02 00:00:00.000',NULL),
('SECOND','$2b$04$99MVzlBsXbo1orYDtDpGreJTtpuiPmGEjJVVwwYNTdO3i73QTumqi','2026-01-02 00:00:00.000','2026-01-02 00:00:00.000',NULL);
/*!40000 ALTER TABLE `users` ENABLE KEYS */;
UNLOCK TABLES;

--
-- Table structure for table `webhooks`
--

DROP TABLE IF EXISTS `webhooks`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `webhooks` (
  `id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `ext_id` varchar(36) NOT NULL,
  `user_id` varchar(32) NOT NULL,
  `device_id` char(21) DEFAULT NULL,
  `url` varchar(256) NOT NULL,
  `event` varchar(32) NOT NULL,
  `deleted_at` datetime(3) DEFAULT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=6 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
/*!40101 SET character_set_client = @saved_cs_client */;

--
-- Dumping data for table `webhooks`
--

LOCK TABLES `webhooks` WRITE;
/*!40000 ALTER TABLE `webhooks` DISABLE KEYS */;
INSERT INTO `webhooks` VALUES
(1,'hook one','ABCDEF',NULL,'https://customer.example/in?secret=a%20b','sms:received',NULL),
(2,'hook-2','ABCDEF','PyDmBQZZXYmyxMwED8Fzy','https://customer.example/ping','app:started',NULL),
(3,'hook-3','SECOND',NULL,'https://10.0.0.1/lan','sms:sent',NULL),
(4,'hook-4','SECOND','deleteddeleteddelete3','https://customer.example/x','sms:sent',NULL),
(5,'hook-5','SECOND',NULL,'https://customer.example/x','sms:sent','2026-01-03 00:00:00.000');
/*!40000 ALTER TABLE `webhooks` ENABLE KEYS */;
UNLOCK TABLES;
/*!40103 SET TIME_ZONE=@OLD_TIME_ZONE */;

/*!40101 SET SQL_MODE=@OLD_SQL_MODE */;
/*!40014 SET FOREIGN_KEY_CHECKS=@OLD_FOREIGN_KEY_CHECKS */;
/*!40014 SET UNIQUE_CHECKS=@OLD_UNIQUE_CHECKS */;
/*!40101 SET CHARACTER_SET_CLIENT=@OLD_CHARACTER_SET_CLIENT */;
/*!40101 SET CHARACTER_SET_RESULTS=@OLD_CHARACTER_SET_RESULTS */;
/*!40101 SET COLLATION_CONNECTION=@OLD_COLLATION_CONNECTION */;
/*!40111 SET SQL_NOTES=@OLD_SQL_NOTES */;

-- Dump completed on 2026-11-21  7:41:01
